package port_test

import (
	"net"
	"strconv"
	"testing"

	"corridor/test/port"
)

func TestAFreePortIsOneThatNoOutgoingConnectionTakes(t *testing.T) {
	for range 50 {
		addr, err := port.Free()
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() }) // held, so that it may not be given again
		_, number, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := strconv.Atoi(number); err != nil || n < 10000 || n >= 32768 {
			t.Errorf("%s: %v", addr, err)
		}
	}
}
