package plane

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"corridor"
)

// memory is a content held in memory.
type memory struct {
	data    []byte
	version string
	check   func() error
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(m.data).ReadAt(p, off)
}
func (m *memory) Close() error { return nil }
func (m *memory) Size() int64  { return int64(len(m.data)) }
func (m *memory) Version() string {
	if m.version == "" {
		return corridor.Digest(m.data)
	}
	return m.version
}
func (m *memory) Check() error {
	if m.check == nil {
		return nil
	}
	return m.check()
}

var testKey = []byte("0123456789abcdef0123456789abcdef")

func stage(do, param string, columns ...string) Stage {
	return Stage{Do: do, Columns: columns, Param: param}
}

func csvPlan(stages ...Stage) Plan { return Plan{Format: FormatCSV, Stages: stages} }

// transformed runs a plan over a text.
func transformed(t testing.TB, plan Plan, in string) (string, Result, error) {
	t.Helper()
	var out bytes.Buffer
	r, err := Transform(t.Context(), &memory{data: []byte(in)}, &out, plan, testKey)
	if err == nil && (r.Bytes != int64(out.Len()) || r.SHA256 != corridor.Digest(out.Bytes())) {
		t.Errorf("result %+v is not that of the %d bytes written", r, out.Len())
	}
	return out.String(), r, err
}

// people makes a CSV file of about size bytes with a header.
func people(size int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	b.Grow(size + 256)
	b.WriteString("iin,name,phone,born,city,amount,note\n")
	for b.Len() < size {
		fmt.Fprintf(&b, "%012d,Person %d,+7701%07d,19%02d-0%d-1%d,Almaty,%d.%02d,\"said \"\"hi\"\", left\"\n", rnd.IntN(1e12), rnd.IntN(1e6),
			rnd.IntN(1e7), rnd.IntN(100), 1+rnd.IntN(9), rnd.IntN(10), rnd.IntN(1e6), rnd.IntN(100))
	}
	return b.Bytes()
}

func peoplePlan() Plan {
	return csvPlan(stage(Pseudonymise, "", "iin"), stage(Mask, "keep:0,4", "phone"))
}

// repeated is a content of any size that takes no memory: one block over and over.
type repeated struct {
	head, block []byte
	size        int64
}

func (r *repeated) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) && off < r.size {
		var from []byte
		if off < int64(len(r.head)) {
			from = r.head[off:]
		} else {
			from = r.block[(off-int64(len(r.head)))%int64(len(r.block)):]
		}
		if left := r.size - off; int64(len(from)) > left {
			from = from[:left]
		}
		k := copy(p[n:], from)
		n += k
		off += int64(k)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
func (r *repeated) Close() error    { return nil }
func (r *repeated) Size() int64     { return r.size }
func (r *repeated) Version() string { return fmt.Sprint("repeated ", r.size) }
func (r *repeated) Check() error    { return nil }

// synthetic is the people file, repeated to about size bytes.
func synthetic(size int64) *repeated {
	data := people(1 << 20)
	i := bytes.IndexByte(data, '\n') + 1
	block := data[i:]
	n := (size + int64(len(block)) - 1) / int64(len(block))
	return &repeated{head: data[:i], block: block, size: int64(i) + n*int64(len(block))}
}

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q does not say %q", err, p)
		}
	}
}
