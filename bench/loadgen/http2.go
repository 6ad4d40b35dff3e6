package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// window takes all that a run can be sent; nothing has to be given back meanwhile.
	window = 1<<31 - 1
	// What a call carries: small enough that the windows the other side gives never hold it up.
	message     = 100
	framePrefix = 5
)

// session is one connection of HTTP/2; its streams share it.
type session struct {
	dial   dialFunc
	fields []hpack.HeaderField
	body   []byte
	grpc   bool
	expect int
	once   sync.Once
	failed error

	conn    net.Conn
	framer  *http2.Framer
	out     *bufio.Writer
	encoder *hpack.Encoder
	block   bytes.Buffer
	// Those who hold or await the lock; the last of them flushes for all.
	writers atomic.Int32
	mu      sync.Mutex
	nextID  uint32
	streams map[uint32]*stream
}

// stream does one exchange after the other, each as a stream of its own.
type stream struct {
	session  *session
	ended    chan error
	status   int
	received int
	grpc     string
}

func newSession(o options, dial dialFunc) *session {
	s := &session{dial: dial, grpc: o.protocol == "grpc", expect: o.expect, nextID: 1, streams: map[uint32]*stream{}}
	add := func(name, value string) { s.fields = append(s.fields, hpack.HeaderField{Name: name, Value: value}) }
	method := "GET"
	if s.grpc {
		method = "POST"
	}
	add(":method", method)
	add(":scheme", "https")
	add(":authority", "orders")
	add(":path", o.path)
	add("user-agent", "loadgen")
	add("x-request-id", "0123456789abcdef")
	if s.grpc {
		add("content-type", "application/grpc")
		add("te", "trailers")
		s.body = binary.BigEndian.AppendUint32([]byte{0}, message)
		s.body = append(s.body, piece[:message]...)
		s.expect = framePrefix + message
	} else {
		add("accept", "application/json")
		add("accept-encoding", "gzip")
	}
	return s
}

func (t *stream) connect() error {
	t.ended = make(chan error, 1)
	s := t.session
	s.once.Do(func() { s.failed = s.open() })
	return s.failed
}

func (s *session) open() (err error) {
	if s.conn, err = s.dial(); err != nil {
		return err
	}
	s.out = bufio.NewWriterSize(s.conn, 65536)
	s.framer = http2.NewFramer(s.out, bufio.NewReaderSize(s.conn, 65536))
	s.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	s.framer.SetReuseFrames()
	s.encoder = hpack.NewEncoder(&s.block)
	s.out.WriteString(http2.ClientPreface)
	s.framer.WriteSettings(
		http2.Setting{ID: http2.SettingEnablePush, Val: 0},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: window},
	)
	s.framer.WriteWindowUpdate(0, window-65535)
	if err := s.out.Flush(); err != nil {
		return err
	}
	go s.read()
	return nil
}

func (t *stream) exchange() (int, error) {
	s := t.session
	t.status, t.received, t.grpc = 0, 0, ""
	if err := s.send(t); err != nil {
		return 0, err
	}
	if err := <-t.ended; err != nil {
		return 0, err
	}
	switch {
	case t.status == 200 && s.expect >= 0 && t.received != s.expect:
		return 0, errLength
	case t.status == 200 && s.grpc && t.grpc != "0":
		return 0, fmt.Errorf("grpc-status is %q", t.grpc)
	}
	return t.status, nil
}

func (s *session) send(t *stream) error {
	return s.write(func() error {
		if s.failed != nil {
			return s.failed
		}
		id := s.nextID
		s.nextID += 2
		s.streams[id] = t
		s.block.Reset()
		for _, field := range s.fields {
			s.encoder.WriteField(field)
		}
		err := s.framer.WriteHeaders(http2.HeadersFrameParam{
			StreamID: id, BlockFragment: s.block.Bytes(), EndHeaders: true, EndStream: s.body == nil,
		})
		if err != nil || s.body == nil {
			return err
		}
		return s.framer.WriteData(id, true, s.body)
	})
}

// write runs with the lock held. What several write at once leaves as one.
func (s *session) write(frames func() error) error {
	s.writers.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	err := frames()
	if s.writers.Add(-1) == 0 && err == nil {
		err = s.out.Flush()
	}
	return err
}

func (s *session) read() {
	for {
		frame, err := s.framer.ReadFrame()
		if err == nil {
			err = s.take(frame)
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

func (s *session) take(frame http2.Frame) error {
	id := frame.Header().StreamID
	switch frame := frame.(type) {
	case *http2.MetaHeadersFrame:
		t := s.find(id)
		if t == nil {
			return fmt.Errorf("an answer to stream %d, which is not open", id)
		}
		for _, field := range frame.Fields {
			switch field.Name {
			case ":status":
				t.status, _ = strconv.Atoi(field.Value)
			case "grpc-status":
				t.grpc = field.Value
			}
		}
		s.endIf(frame.StreamEnded(), id, nil)
	case *http2.DataFrame:
		t := s.find(id)
		if t == nil {
			return fmt.Errorf("a body for stream %d, which is not open", id)
		}
		t.received += len(frame.Data())
		s.endIf(frame.StreamEnded(), id, nil)
	case *http2.RSTStreamFrame:
		s.endIf(true, id, fmt.Errorf("the stream was reset: %v", frame.ErrCode))
	case *http2.GoAwayFrame:
		return fmt.Errorf("the server goes away: %v", frame.ErrCode)
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return s.write(s.framer.WriteSettingsAck)
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			return s.write(func() error { return s.framer.WritePing(true, frame.Data) })
		}
	}
	return nil
}

func (s *session) find(id uint32) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[id]
}

func (s *session) endIf(over bool, id uint32, err error) {
	if !over {
		return
	}
	s.mu.Lock()
	t := s.streams[id]
	delete(s.streams, id)
	s.mu.Unlock()
	if t != nil {
		t.ended <- err
	}
}

var errClosed = errors.New("the connection was closed")

func (s *session) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = errors.Join(errClosed, err)
	for id, t := range s.streams {
		delete(s.streams, id)
		t.ended <- s.failed
	}
	s.conn.Close()
}

func (t *stream) close() {
	if t.session.conn != nil {
		t.session.conn.Close()
	}
}
