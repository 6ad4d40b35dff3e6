// Strangers: Go's net/http and grpc-go as the conformance tests drive them.
//
//	strangers http-server    serves HTTP/1.1 and HTTP/2 without TLS; prints its port
//	strangers grpc-server    serves gRPC; prints its port
//	strangers http-client    reads what to ask as JSON, prints what it was answered
//	strangers grpc-client    reads whom to ask as JSON, prints how each call ended
//
// A server ends when its standard input does.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	programs := map[string]func() error{
		"http-server": serveHTTP,
		"grpc-server": serveGRPC,
		"http-client": askHTTP,
		"grpc-client": askGRPC,
	}
	name := ""
	if len(os.Args) == 2 {
		name = os.Args[1]
	}
	run, known := programs[name]
	if !known {
		fmt.Fprintln(os.Stderr, "usage: strangers http-server|grpc-server|http-client|grpc-client")
		os.Exit(2)
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// listen takes a port from the kernel, tells it, and ends the program with its standard input.
func listen() (net.Listener, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return listener, nil
}

func readOrders(orders any) error { return json.NewDecoder(os.Stdin).Decode(orders) }

func tell(answers any) error { return json.NewEncoder(os.Stdout).Encode(answers) }

// sum is what is told of a body.
type sum struct {
	Length int64  `json:"length"`
	SHA256 string `json:"sha256"`
}

func sumOf(body []byte) sum {
	hash := sha256.Sum256(body)
	return sum{int64(len(body)), hex.EncodeToString(hash[:])}
}

// filled is a body of that size: bytes that would look like the end of one, if any did.
func filled(size int) []byte {
	const piece = "Signet\r\n0\r\n\r\n"
	body := make([]byte, size)
	for i := range body {
		body[i] = piece[i%len(piece)]
	}
	return body
}
