package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// clockTicks is USER_HZ, which is 100 on every Linux that Go runs on.
const clockTicks = 100

// process is what the kernel says of one process: CPU in milliseconds, memory in MiB.
type process struct {
	cpuMs     float64
	privateMb float64
	rssMb     float64
}

// observe sums over processes. Private memory is what no other process could share: dirty pages, not the pages of a binary.
func observe(pids []int) (process, error) {
	var sum process
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return sum, err
		}
		// the second field is the command in parentheses, which may hold spaces
		fields := strings.Fields(string(stat)[strings.LastIndexByte(string(stat), ')')+1:])
		user, _ := strconv.ParseFloat(fields[11], 64)
		system, _ := strconv.ParseFloat(fields[12], 64)
		sum.cpuMs += (user + system) * 1000 / clockTicks
		memory, err := kilobytes(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return sum, err
		}
		sum.privateMb += memory["Private_Dirty"] / 1024
		sum.rssMb += memory["Rss"] / 1024
	}
	return sum, nil
}

func kilobytes(path string) (map[string]float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	values := map[string]float64{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, rest, found := strings.Cut(lines.Text(), ":")
		if fields := strings.Fields(rest); found && len(fields) == 2 {
			values[name], _ = strconv.ParseFloat(fields[0], 64)
		}
	}
	return values, nil
}
