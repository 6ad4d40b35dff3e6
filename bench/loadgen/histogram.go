package main

import (
	"math"
	"sync/atomic"
	"time"
)

// stepsPerOctave gives buckets 2.2 % apart.
const stepsPerOctave = 32

// histogram counts durations from 1 µs on, in buckets that grow with them. Safe for concurrent use.
type histogram struct {
	buckets [40 * stepsPerOctave]atomic.Int64
}

func (h *histogram) record(d time.Duration) {
	us := math.Max(1, float64(d)/float64(time.Microsecond))
	i := int(math.Log2(us) * stepsPerOctave)
	h.buckets[min(i, len(h.buckets)-1)].Add(1)
}

func (h *histogram) count() int64 {
	var n int64
	for i := range h.buckets {
		n += h.buckets[i].Load()
	}
	return n
}

// quantile returns the middle of the bucket that holds the share q, in milliseconds.
func (h *histogram) quantile(q float64) float64 {
	want := int64(float64(h.count()) * q)
	var seen int64
	for i := range h.buckets {
		seen += h.buckets[i].Load()
		if seen > want {
			return math.Round(math.Exp2((float64(i)+0.5)/stepsPerOctave)) / 1000
		}
	}
	return 0
}
