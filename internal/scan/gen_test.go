package scan

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// gen makes labelled columns from a seed. Every identity number is made up,
// and valid by its check digits only.
type gen struct{ *rand.Rand }

func newGen(seed uint64) gen { return gen{rand.New(rand.NewPCG(seed, 7))} }

func (g gen) digits(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + g.IntN(10))
	}
	if b[0] == '0' {
		b[0] = '1'
	}
	return string(b)
}

func (g gen) pick(list string) string {
	words := strings.Split(list, " ")
	return strings.ReplaceAll(words[g.IntN(len(words))], "_", " ")
}

func (g gen) day(from, to int) (y, m, d int) {
	return from + g.IntN(to-from+1), 1 + g.IntN(12), 1 + g.IntN(28)
}

func (g gen) cnID() string {
	y, m, d := g.day(1950, 2009)
	s := fmt.Sprintf("%s%04d%02d%02d%03d", g.pick("110101 310104 440103 510104 330106 420102 610113 230103"), y, m, d, g.IntN(1000))
	sum := weighted([]byte(s), 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
	return s + string("10X98765432"[sum%11])
}

func (g gen) iin() string {
	for {
		y, m, d := g.day(1950, 2009)
		century := 3 + g.IntN(2)
		if y >= 2000 {
			century += 2
		}
		if s, ok := kzComplete(fmt.Sprintf("%02d%02d%02d%d%04d", y%100, m, d, century, g.IntN(10000))); ok {
			return s
		}
	}
}

func (g gen) bin() string {
	for {
		if s, ok := kzComplete(fmt.Sprintf("%02d%02d%d%d%05d", g.IntN(24), 1+g.IntN(12), 4+g.IntN(3), g.IntN(4), g.IntN(100000))); ok {
			return s
		}
	}
}

func kzComplete(s string) (string, bool) {
	for d := byte('0'); d <= '9'; d++ {
		if v := s + string(d); kzCheck([]byte(v)) {
			return v, true
		}
	}
	return "", false
}

func (g gen) inn12() string {
	s := g.pick("77 78 50 16 23 66") + g.digits(8)
	a := weighted([]byte(s), 7, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10
	s += strconv.Itoa(a)
	b := weighted([]byte(s), 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8) % 11 % 10
	return s + strconv.Itoa(b)
}

func (g gen) inn10() string {
	s := g.pick("77 78 50 16 23 66") + g.digits(7)
	return s + strconv.Itoa(weighted([]byte(s), 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10)
}

func (g gen) snils() string {
	s := g.digits(9)
	c := weighted([]byte(s), 9, 8, 7, 6, 5, 4, 3, 2, 1) % 101 % 100
	return fmt.Sprintf("%s-%s-%s %02d", s[:3], s[3:6], s[6:], c)
}

func (g gen) card() string {
	s := g.pick("4276 5469 2202 6222 5536") + g.digits(11)
	for d := byte('0'); ; d++ {
		if luhn([]byte(s + string(d))) {
			return s + string(d)
		}
	}
}

func (g gen) iban() string {
	table := ibanTable()
	for check := 2; ; check++ {
		if check > 98 {
			check = 2
		}
		v := fmt.Sprintf("KZ%02d%s", check, "125KZT"+"5004100100")
		v = v[:10] + g.digits(10)
		for c := 2; c < 99; c++ {
			w := v[:2] + fmt.Sprintf("%02d", c) + v[4:]
			if iban([]byte(w), table).valid {
				return w
			}
		}
	}
}

func (g gen) nameEN() string {
	return g.pick("James Mary Aigul Nurlan Wei Anna Peter Olga Ivan Timur Saule Maria David Fatima Lina Boris Greta Otto") + " " +
		g.pick("Doe Example Smith Nobody Karimov Wang Sample Story Brown Petrov Lind Muster")
}

func (g gen) nameZH() string {
	surname := []rune("王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹雒逄")
	given := []rune("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国文志")
	s := string(surname[g.IntN(len(surname))]) + string(given[g.IntN(len(given))])
	if g.IntN(3) > 0 {
		s += string(given[g.IntN(len(given))])
	}
	return s
}

func (g gen) surnameRU() string {
	return g.pick("Примеров Образцов Тестов Никтоев Вымыслов Сказкин Шаблонов Условный Иванов Петренко Ким Ли Ахметов")
}

func (g gen) nameRU() string {
	return g.surnameRU() + " " + g.pick("Иван Пётр Сергей Нурлан Ержан Олег Дмитрий Анна Мария Айгуль") + " " + g.pick("Иванович Петрович Сергеевич Олегович Андреевна Ивановна Маратұлы Серикович Ильич")
}

func (g gen) phoneCN() string {
	return g.pick("130 131 135 136 137 138 139 150 151 158 159 176 177 180 186 187 188 189 199") + g.digits(8)
}
func (g gen) phoneRU() string {
	d := g.digits(10)
	return fmt.Sprintf("+7 (9%s) %s-%s-%s", d[:2], d[2:5], d[5:7], d[7:9])
}
func (g gen) phoneKZ() string { return "+77" + g.pick("01 02 05 07 47 71 75 77 78") + g.digits(7) }
func (g gen) email() string {
	return strings.ToLower(g.pick("anna peter wei nurlan olga timur info")) + g.digits(4) + "@" + g.pick("example.org example.com example.kz")
}
func (g gen) date(from, to int, layout string) string {
	y, m, d := g.day(from, to)
	switch layout {
	case "ru":
		return fmt.Sprintf("%02d.%02d.%04d", d, m, y)
	case "zh":
		return fmt.Sprintf("%d年%d月%d日", y, m, d)
	}
	return fmt.Sprintf("%04d-%02d-%02d", y, m, d)
}

// shipments streams a CSV of about size bytes: what a carrier exports.
type shipments struct {
	g     gen
	left  int64
	row   int
	ready []byte
	buf   bytes.Buffer
}

func newShipments(seed uint64, size int64) *shipments {
	s := &shipments{g: newGen(seed), left: size}
	s.buf.WriteString("waybill,收货人,身份证号,手机,email,iin,ФИО,birth_date,address,weight_kg,declared_value,status,created_at,note\r\n")
	s.ready = s.buf.Bytes()
	return s
}

// Read makes rows as they are asked for.
func (s *shipments) Read(p []byte) (int, error) {
	if len(s.ready) == 0 {
		if s.left <= 0 {
			return 0, io.EOF
		}
		s.buf.Reset()
		for range 64 {
			s.write()
		}
		s.ready = s.buf.Bytes()
	}
	n := copy(p, s.ready)
	s.ready = s.ready[n:]
	s.left -= int64(n)
	return n, nil
}

func (s *shipments) write() {
	g := s.g
	s.row++
	fmt.Fprintf(&s.buf, "WB%010d,%s,%s,%s,%s,%s,%s,%s,\"%s, %d\",%d.%d,%d,%s,2026-%02d-%02dT10:%02d:00Z,\"say \"\"%s\"\" twice\"\r\n", s.row, g.nameZH(), g.cnID(), g.phoneCN(), g.email(), g.iin(), g.nameRU(),
		g.date(1950, 2009, ""), g.pick("Abay_ave Lenin_str Example_road Satpayev_st"), g.IntN(300), g.IntN(90), g.IntN(10), g.IntN(100000), g.pick("new sent held done"), 1+g.IntN(12), 1+g.IntN(28), g.IntN(60), g.pick("urgent fragile none cold"))
}

// TestGenerateFile writes a large CSV for measurements by hand:
// SCAN_GENERATE=/tmp/big.csv SCAN_BYTES=1000000000 go test -run GenerateFile ./internal/scan
func TestGenerateFile(t *testing.T) {
	path := os.Getenv("SCAN_GENERATE")
	if path == "" {
		t.Skip("writes a file only when SCAN_GENERATE names it")
	}
	size, err := strconv.ParseInt(os.Getenv("SCAN_BYTES"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := newShipments(1, min(size, 200<<20))
	if _, err := io.Copy(f, block); err != nil {
		t.Fatal(err)
	}
	for seed := uint64(2); ; seed++ { // a new seed: other people
		info, err := f.Stat()
		if err != nil || info.Size() >= size {
			return
		}
		more := newShipments(seed, min(size-info.Size(), 200<<20))
		more.ready = nil
		if _, err := io.Copy(f, more); err != nil {
			t.Fatal(err)
		}
	}
}
