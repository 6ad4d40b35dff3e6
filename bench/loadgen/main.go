// Loadgen asks for one thing over mTLS on many connections, and tells how long the answers took and what they cost the processes that
// gave them. With -rate it keeps to a schedule, and a late answer counts from when its request was due.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type options struct {
	address, folder, path string
	connections           int
	warm, duration        time.Duration
	rate                  float64
	pids                  []int
}

type result struct {
	Requests   int64   `json:"requests"`
	Errors     int64   `json:"errors"`
	Refused    int64   `json:"refused"`
	LastError  string  `json:"last_error,omitempty"`
	RPS        float64 `json:"rps"`
	P50Ms      float64 `json:"p50_ms"`
	P99Ms      float64 `json:"p99_ms"`
	P999Ms     float64 `json:"p999_ms"`
	CPUMsPer1k float64 `json:"cpu_ms_per_1k"`
	PrivateMb  float64 `json:"private_mb"`
	RSSMb      float64 `json:"rss_mb"`
}

func main() {
	log.SetFlags(0)
	o := parse()
	config, err := identity(o.folder)
	if err != nil {
		log.Fatal(err)
	}
	outcome, err := run(o, config)
	if err != nil {
		log.Fatal(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(outcome); err != nil {
		log.Fatal(err)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.address, "address", "", "host:port of the proxy")
	flag.StringVar(&o.folder, "folder", "", "holds client.pem, client.key and root.pem")
	flag.StringVar(&o.path, "path", "/", "request target")
	flag.IntVar(&o.connections, "connections", 64, "connections kept open")
	flag.DurationVar(&o.warm, "warm", time.Second, "load before anything is counted")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "load that is counted")
	flag.Float64Var(&o.rate, "rate", 0, "requests per second over all connections; 0 is as fast as answers come")
	pids := flag.String("pids", "", "processes whose CPU and memory are told, separated by commas")
	flag.Parse()
	for _, text := range strings.Split(*pids, ",") {
		if pid, err := strconv.Atoi(text); err == nil {
			o.pids = append(o.pids, pid)
		}
	}
	return o
}

// identity presents the client's SVID, and takes any server certificate of the same authority, whatever it names.
func identity(folder string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(folder, "client.pem"), filepath.Join(folder, "client.key"))
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(filepath.Join(folder, "root.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	verify := func(state tls.ConnectionState) error {
		chain := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, certificate := range state.PeerCertificates[1:] {
			chain.Intermediates.AddCert(certificate)
		}
		_, err := state.PeerCertificates[0].Verify(chain)
		return err
	}
	return &tls.Config{
		Certificates:       []tls.Certificate{pair},
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
		InsecureSkipVerify: true, // host names only: VerifyConnection verifies the chain
		VerifyConnection:   verify,
	}, nil
}

func run(o options, config *tls.Config) (result, error) {
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: orders\r\nUser-Agent: loadgen\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\nX-Request-Id: 0123456789abcdef\r\n\r\n", o.path)
	var latency histogram
	var counting, stopping atomic.Bool
	var errors, refused atomic.Int64
	var lastError atomic.Value
	var group sync.WaitGroup
	begin := time.Now()
	for i := range o.connections {
		group.Add(1)
		go func() {
			defer group.Done()
			c := client{address: o.address, tls: config, request: []byte(request)}
			defer c.close()
			for due := schedule(o, begin, i); !stopping.Load(); {
				start := due()
				status, err := c.exchange()
				switch {
				case err != nil:
					errors.Add(1)
					lastError.Store(err.Error())
					time.Sleep(20 * time.Millisecond)
				case status != 200:
					refused.Add(1)
				case counting.Load():
					latency.record(time.Since(start))
				}
			}
		}()
	}
	time.Sleep(o.warm)
	before, err := observe(o.pids)
	if err != nil {
		return result{}, err
	}
	counting.Store(true)
	start := time.Now()
	time.Sleep(o.duration)
	counting.Store(false)
	elapsed := time.Since(start)
	after, err := observe(o.pids)
	if err != nil {
		return result{}, err
	}
	stopping.Store(true)
	group.Wait()
	n := latency.count()
	message, _ := lastError.Load().(string)
	return result{
		Requests: n, Errors: errors.Load(), Refused: refused.Load(), LastError: message,
		RPS:   float64(n) / elapsed.Seconds(),
		P50Ms: latency.quantile(0.50), P99Ms: latency.quantile(0.99), P999Ms: latency.quantile(0.999),
		CPUMsPer1k: (after.cpuMs - before.cpuMs) / float64(max(n, 1)) * 1000,
		PrivateMb:  after.privateMb, RSSMb: after.rssMb,
	}, nil
}

// schedule returns a function that waits until the connection's next request is due and tells from when its answer counts.
func schedule(o options, begin time.Time, connection int) func() time.Time {
	if o.rate == 0 {
		return time.Now
	}
	interval := time.Duration(float64(time.Second) * float64(o.connections) / o.rate)
	next := begin.Add(interval * time.Duration(connection) / time.Duration(o.connections))
	return func() time.Time {
		due := next
		next = next.Add(interval)
		if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
			// the timer's own lateness is ours, not the server's
			return time.Now()
		}
		return due
	}
}
