package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"time"
)

// client keeps one connection and sends the same request over and over.
type client struct {
	address string
	tls     *tls.Config
	request []byte
	conn    net.Conn
	reader  *bufio.Reader
}

// exchange sends the request and reads the whole answer, connecting first where there is no connection.
func (c *client) exchange() (status int, err error) {
	if c.conn == nil {
		if err := c.connect(); err != nil {
			return 0, err
		}
	}
	if _, err = c.conn.Write(c.request); err == nil {
		status, err = c.readAnswer()
	}
	if err != nil {
		c.close()
	}
	return status, err
}

func (c *client) connect() error {
	plain, err := net.DialTimeout("tcp", c.address, 5*time.Second)
	if err != nil {
		return err
	}
	secure := tls.Client(plain, c.tls)
	if err := secure.Handshake(); err != nil {
		plain.Close()
		return err
	}
	c.conn, c.reader = secure, bufio.NewReaderSize(secure, 16384)
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

var errMalformed = errors.New("the answer has no status or no length")

// readAnswer understands what the benchmark's own backend sends: a Content-Length and nothing fancy.
func (c *client) readAnswer() (int, error) {
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 {
		return 0, errMalformed
	}
	status, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return 0, errMalformed
	}
	length := -1
	for {
		if line, err = c.reader.ReadSlice('\n'); err != nil {
			return 0, err
		}
		if len(line) <= 2 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("content-length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, errMalformed
			}
		}
	}
	if length < 0 {
		return 0, errMalformed
	}
	_, err = c.reader.Discard(length)
	return status, err
}
