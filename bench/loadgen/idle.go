package main

import (
	"fmt"
	"sync"
	"time"
)

const (
	openers = 16
	// rest lets the server finish what it does after the last answer.
	rest = time.Second
)

// hold opens connections, asks once on each, and keeps them while it looks at the servers' memory.
func hold(o options, dial dialFunc) (result, error) {
	watch, err := observe(o.pids)
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	clients := make([]*client, o.idle)
	errs := make([]error, openers)
	var group sync.WaitGroup
	for worker := range openers {
		group.Go(func() {
			for i := worker; i < len(clients) && errs[worker] == nil; i += openers {
				clients[i] = newClient(o, dial)
				status, err := clients[i].exchange()
				if err == nil && status != 200 {
					err = fmt.Errorf("status %d", status)
				}
				errs[worker] = err
			}
		})
	}
	group.Wait()
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.close()
			}
		}
	}()
	for _, err := range errs {
		if err != nil {
			return result{}, err
		}
	}
	elapsed := time.Since(start)
	time.Sleep(rest)
	processes, err := watch.since()
	return result{Requests: int64(len(clients)), Seconds: elapsed.Seconds(), Processes: processes}, err
}
