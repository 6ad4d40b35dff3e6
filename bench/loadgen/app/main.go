// App is the backend of the benchmark's larger bodies and of its gRPC: it reads all it is sent, and answers with as many bytes as the
// query's size asks for, or with what it was sent. It speaks HTTP/1.1 and, without TLS, HTTP/2.
package main

import (
	"bytes"
	"flag"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
)

const piece = 65536

func main() {
	log.SetFlags(0)
	listen := flag.String("listen", "", "host:port")
	flag.Parse()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := http.Server{Addr: *listen, Handler: http.HandlerFunc(serve), Protocols: protocols}
	log.Fatal(server.ListenAndServe())
}

var bytesToSend = bytes.Repeat([]byte("y"), piece)

func serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		echo(w, r)
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
	size, _ := strconv.Atoi(r.URL.Query().Get("size"))
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(size))
	for left := size; left > 0; left -= piece {
		if _, err := w.Write(bytesToSend[:min(left, piece)]); err != nil {
			return
		}
	}
}

// echo answers a unary call with its own message, still framed.
func echo(w http.ResponseWriter, r *http.Request) {
	message, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/grpc")
	w.Header().Set("Trailer", "Grpc-Status")
	w.Write(message)
	w.Header().Set("Grpc-Status", "0")
}
