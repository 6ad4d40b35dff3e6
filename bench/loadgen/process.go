package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// memory is in MiB. Private is what no other process could share: dirty pages, not the pages of a binary.
type memory struct {
	Private float64 `json:"private_mb"`
	PSS     float64 `json:"pss_mb"`
	RSS     float64 `json:"rss_mb"`
}

// spent is what one process used between two looks at it.
type spent struct {
	Pid    int     `json:"pid"`
	CPUMs  float64 `json:"cpu_ms"`
	Before memory  `json:"before"`
	After  memory  `json:"after"`
}

type watch struct {
	pids   []int
	cpu    []float64
	memory []memory
}

func observe(pids []int) (watch, error) {
	w := watch{pids: pids}
	for _, pid := range pids {
		m, err := memoryOf(pid)
		if err != nil {
			return w, err
		}
		w.memory = append(w.memory, m)
	}
	for _, pid := range pids {
		cpu, err := cpuOf(pid)
		if err != nil {
			return w, err
		}
		w.cpu = append(w.cpu, cpu)
	}
	return w, nil
}

// since tells what was used since the look.
func (w watch) since() ([]spent, error) {
	now := make([]float64, len(w.pids))
	for i, pid := range w.pids {
		var err error
		if now[i], err = cpuOf(pid); err != nil {
			return nil, err
		}
	}
	all := []spent{}
	for i, pid := range w.pids {
		after, err := memoryOf(pid)
		if err != nil {
			return nil, err
		}
		all = append(all, spent{Pid: pid, CPUMs: now[i] - w.cpu[i], Before: w.memory[i], After: after})
	}
	return all, nil
}

// cpuOf is the user and system time of all threads in milliseconds, by the process's own clock: /proc counts in steps of 10 ms.
func cpuOf(pid int) (float64, error) {
	const processClock = 2 // CPUCLOCK_SCHED of a whole process; see clock_getcpuclockid(3)
	clock := uintptr(^pid<<3 | processClock)
	var at syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&at)), 0); errno != 0 {
		return 0, fmt.Errorf("no CPU clock of process %d: %w", pid, errno)
	}
	return float64(at.Nano()) / float64(time.Millisecond), nil
}

func memoryOf(pid int) (memory, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return memory{}, err
	}
	defer file.Close()
	mb := map[string]float64{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, rest, found := strings.Cut(lines.Text(), ":")
		if fields := strings.Fields(rest); found && len(fields) == 2 {
			kb, _ := strconv.ParseFloat(fields[0], 64)
			mb[name] = kb / 1024
		}
	}
	return memory{Private: mb["Private_Dirty"], PSS: mb["Pss"], RSS: mb["Rss"]}, nil
}
