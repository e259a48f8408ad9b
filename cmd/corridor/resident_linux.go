package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// dropStart gives back the pages of the program's own file that its start has
// read: every package that was initialised, the text of the packs. They are
// mapped, not copied, so that what is needed again comes back from the page
// cache, a few pages at a time; without it a node holds them as long as it
// lives. Only a part of which no page was ever written is given back.
func dropStart() error {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return fmt.Errorf("the program's own pages are kept: %w", err)
	}
	defer f.Close()
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("the program's own pages are kept: %w", err)
	}
	var from, to uintptr // a part that can only be read, and is of the program
	var unwritten bool   // of none of its pages is there a copy in memory
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if first, rest, _ := strings.Cut(line, " "); strings.Contains(first, "-") {
			from, to, unwritten = 0, 0, false
			if strings.HasSuffix(line, " "+self) && strings.HasPrefix(rest, "r-") {
				fmt.Sscanf(first, "%x-%x", &from, &to)
			}
		}
		if strings.HasPrefix(line, "Anonymous:") {
			unwritten = strings.HasSuffix(line, " 0 kB")
		}
		if to > from && unwritten && strings.HasPrefix(line, "Swap:") && strings.HasSuffix(line, " 0 kB") { // nor on a disk
			if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_DONTNEED); errno != 0 {
				return fmt.Errorf("the program's own pages are kept: %w", errno)
			}
		}
	}
	return lines.Err()
}
