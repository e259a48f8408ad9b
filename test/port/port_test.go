package port_test

import (
	"net"
	"strconv"
	"testing"

	"corridor/test/port"
)

func TestAFreePortIsGivenOnceAndIsOneThatNoOutgoingConnectionTakes(t *testing.T) {
	given := map[string]bool{}
	for range 150 { // more than a block
		addr, err := port.Free()
		if err != nil {
			t.Fatal(err)
		}
		if given[addr] {
			t.Errorf("%s is given twice", addr)
		}
		given[addr] = true
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		_, number, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(number); err != nil || n < 10000 || n >= 32768 {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
