package main

import (
	"log"
	"sync"
	"sync/atomic"
	"time"
)

// caller does one exchange at a time.
type caller interface {
	connect() error
	exchange() (status int, err error)
	close()
}

const (
	// failurePause keeps a server that refuses everything from being flooded.
	failurePause = 20 * time.Millisecond
	// patience is for the answers still under way when a run is over.
	patience = 20 * time.Second
)

func run(o options, dial dialFunc) (result, error) {
	callers := callersFor(o, dial)
	if err := connectAll(o, callers); err != nil {
		return result{}, err
	}
	var latency histogram
	var counting, stopping atomic.Bool
	var failed, refused atomic.Int64
	var lastError atomic.Value
	var group sync.WaitGroup
	begin := time.Now()
	for i, c := range callers {
		group.Go(func() {
			for due := schedule(o, begin, i, len(callers)); !stopping.Load(); {
				start := due()
				status, err := c.exchange()
				switch {
				case err != nil:
					failed.Add(1)
					lastError.Store(err.Error())
					time.Sleep(failurePause)
				case status != 200:
					refused.Add(1)
				case counting.Load():
					latency.record(time.Since(start))
				}
			}
		})
	}
	time.Sleep(o.warm)
	watch, err := observe(o.pids)
	if err != nil {
		return result{}, err
	}
	counting.Store(true)
	start := time.Now()
	time.Sleep(o.duration)
	counting.Store(false)
	elapsed := time.Since(start)
	processes, err := watch.since()
	if err != nil {
		return result{}, err
	}
	stopping.Store(true)
	late := time.AfterFunc(patience, func() { log.Fatal("an answer did not come") })
	group.Wait()
	late.Stop()
	for _, c := range callers {
		c.close()
	}
	message, _ := lastError.Load().(string)
	return result{
		Requests: latency.count(), Errors: failed.Load(), Refused: refused.Load(), LastError: message,
		Seconds: elapsed.Seconds(), P50Ms: latency.quantile(0.50), P99Ms: latency.quantile(0.99),
		Processes: processes,
	}, nil
}

func callersFor(o options, dial dialFunc) []caller {
	var callers []caller
	for range o.connections {
		if o.protocol == "http1" {
			callers = append(callers, newClient(o, dial))
			continue
		}
		shared := newSession(o, dial)
		for range o.streams {
			callers = append(callers, &stream{session: shared})
		}
	}
	return callers
}

// connectAll has the handshakes over before the clock runs, unless they are what is measured.
func connectAll(o options, callers []caller) error {
	if o.anew {
		return nil
	}
	errs := make(chan error, len(callers))
	for _, c := range callers {
		go func() { errs <- c.connect() }()
	}
	var first error
	for range callers {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// schedule returns a function that waits until the caller's next request is due and tells from when its answer counts.
func schedule(o options, begin time.Time, caller, callers int) func() time.Time {
	if o.rate == 0 {
		return time.Now
	}
	interval := time.Duration(float64(time.Second) * float64(callers) / o.rate)
	next := begin.Add(interval * time.Duration(caller) / time.Duration(callers))
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
