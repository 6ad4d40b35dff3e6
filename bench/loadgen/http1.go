package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// client keeps one connection, or none with anew, and sends the same request over and over.
type client struct {
	dial   dialFunc
	head   []byte
	body   int
	expect int
	anew   bool
	conn   net.Conn
	reader *bufio.Reader
}

// piece is what a body is sent in.
var piece = bytes.Repeat([]byte("x"), 65536)

const fields = "Host: orders\r\nUser-Agent: loadgen\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\nX-Request-Id: 0123456789abcdef\r\n"

func newClient(o options, dial dialFunc) *client {
	head := fmt.Sprintf("GET %s HTTP/1.1\r\n%s\r\n", o.path, fields)
	if o.send > 0 {
		head = fmt.Sprintf("POST %s HTTP/1.1\r\n%sContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n", o.path, fields, o.send)
	}
	return &client{dial: dial, head: []byte(head), body: o.send, expect: o.expect, anew: o.anew}
}

// exchange sends the request and reads the whole answer, connecting first where there is no connection.
func (c *client) exchange() (status int, err error) {
	if c.conn == nil {
		if err := c.connect(); err != nil {
			return 0, err
		}
	}
	if err = c.send(); err == nil {
		status, err = c.readAnswer()
	}
	if err != nil || c.anew {
		c.close()
	}
	return status, err
}

func (c *client) connect() (err error) {
	if c.conn, err = c.dial(); err != nil {
		c.conn = nil
		return err
	}
	c.reader = bufio.NewReaderSize(c.conn, 16384)
	return nil
}

func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}

func (c *client) send() error {
	_, err := c.conn.Write(c.head)
	for left := c.body; left > 0 && err == nil; left -= len(piece) {
		_, err = c.conn.Write(piece[:min(left, len(piece))])
	}
	return err
}

var (
	errMalformed = errors.New("the answer has no status or no length")
	errLength    = errors.New("the answer's body has another length than was expected")
)

// readAnswer understands what the benchmark's own backends send: a Content-Length and nothing fancy.
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
	if _, err = c.reader.Discard(length); err != nil {
		return 0, err
	}
	if status == 200 && c.expect >= 0 && length != c.expect {
		return 0, errLength
	}
	return status, nil
}
