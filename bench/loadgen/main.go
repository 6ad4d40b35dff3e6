// Loadgen asks for one thing on many connections, over mTLS or plainly, and tells how long the answers took and what they cost the
// processes that gave them. With -rate it keeps to a schedule, and a late answer counts from when its request was due.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"log"
	"os"
	"strconv"
	"strings"
	"time"
)

type options struct {
	address, folder, path string
	protocol              string
	plain, anew           bool
	connections, streams  int
	idle                  int
	send, expect          int
	warm, duration        time.Duration
	rate                  float64
	pids                  []int
}

type result struct {
	Requests  int64   `json:"requests"`
	Errors    int64   `json:"errors"`
	Refused   int64   `json:"refused"`
	LastError string  `json:"last_error,omitempty"`
	Seconds   float64 `json:"seconds"`
	P50Ms     float64 `json:"p50_ms"`
	P99Ms     float64 `json:"p99_ms"`
	Processes []spent `json:"processes"`
}

func main() {
	log.SetFlags(0)
	o, err := parse()
	if err != nil {
		log.Fatal(err)
	}
	dial, err := dialer(o)
	if err != nil {
		log.Fatal(err)
	}
	work := run
	if o.idle > 0 {
		work = hold
	}
	outcome, err := work(o, dial)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(outcome); err != nil {
		log.Fatal(err)
	}
}

func parse() (options, error) {
	var o options
	flag.StringVar(&o.address, "address", "", "host:port of the proxy")
	flag.StringVar(&o.folder, "folder", "", "holds client.pem, client.key and root.pem")
	flag.StringVar(&o.path, "path", "/", "request target")
	flag.StringVar(&o.protocol, "protocol", "http1", "http1, http2, or grpc: unary calls that are echoed")
	flag.BoolVar(&o.plain, "plain", false, "without TLS")
	flag.BoolVar(&o.anew, "anew", false, "a new connection, with its full handshake, for each request (http1)")
	flag.IntVar(&o.connections, "connections", 64, "connections kept open")
	flag.IntVar(&o.streams, "streams", 1, "requests under way on each connection (http2, grpc)")
	flag.IntVar(&o.idle, "idle", 0, "instead of load: open so many connections, ask once on each, and tell the memory before and after")
	flag.IntVar(&o.send, "send", 0, "bytes of request body; any makes it a POST")
	flag.IntVar(&o.expect, "expect", -1, "bytes of body that an answer must have; -1 takes any")
	flag.DurationVar(&o.warm, "warm", time.Second, "load before anything is counted")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "load that is counted")
	flag.Float64Var(&o.rate, "rate", 0, "requests per second over all connections; 0 is as fast as answers come")
	pids := flag.String("pids", "", "processes whose CPU and memory are told, separated by commas")
	flag.Parse()
	for text := range strings.SplitSeq(*pids, ",") {
		if pid, err := strconv.Atoi(text); err == nil {
			o.pids = append(o.pids, pid)
		}
	}
	switch {
	case o.protocol != "http1" && o.protocol != "http2" && o.protocol != "grpc":
		return o, errors.New("-protocol is none that is known")
	case o.protocol == "http1" && o.streams != 1:
		return o, errors.New("-streams is for http2 and grpc")
	case o.protocol != "http1" && (o.anew || o.idle > 0):
		return o, errors.New("-anew and -idle are for http1")
	}
	return o, nil
}
