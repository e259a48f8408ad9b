//go:build bench

package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// largeFile makes the large CSV file once: shipments with contact persons,
// nearly every row another person. All people and numbers are made up; the
// numbers are valid by their check digits only.
func (b *bench) largeFile() (string, error) {
	if b.large != "" {
		return b.large, nil
	}
	b.say("making a CSV of %d MB", b.size/1e6)
	path := filepath.Join(b.dir, "shipments.csv")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	g := maker{rand.New(rand.NewPCG(1, 2))}
	line := []byte("waybill,收货人,身份证号,手机,email,iin,ФИО,birth_date,address,weight_kg,declared_value,status,created_at,note\r\n")
	var size int64
	for n := 1; size < b.size; n++ {
		if _, err := w.Write(line); err != nil {
			return "", err
		}
		size += int64(len(line))
		line = g.shipment(line[:0], n)
	}
	if err := w.Flush(); err != nil {
		return "", err
	}
	if err := f.Sync(); err != nil {
		return "", err
	}
	b.large = path
	return path, f.Close()
}

// maker makes values from a seed.
type maker struct{ *rand.Rand }

func pick(g maker, list ...string) string { return list[g.IntN(len(list))] }

// number appends n digits.
func (g maker) number(out []byte, value, n int) []byte {
	at := len(out)
	for range n {
		out = append(out, '0')
	}
	for i := at + n - 1; i >= at; i-- {
		out[i] = byte('0' + value%10)
		value /= 10
	}
	return out
}

func (g maker) day(out []byte, separator string) []byte {
	out = append(g.number(out, 1950+g.IntN(60), 4), separator...)
	out = append(g.number(out, 1+g.IntN(12), 2), separator...)
	return g.number(out, 1+g.IntN(28), 2)
}

// resident appends a Chinese resident identity number.
func (g maker) resident(out []byte) []byte {
	at := len(out)
	out = append(out, pick(g, "110101", "310104", "440103", "510104", "330106", "420102")...)
	out = g.number(g.day(out, ""), g.IntN(1000), 3)
	sum := 0
	for i, w := range []int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(out[at+i]-'0') * w
	}
	return append(out, "10X98765432"[sum%11])
}

// iin appends a Kazakh individual identification number.
func (g maker) iin(out []byte) []byte {
	at := len(out)
	for {
		out = g.number(out[:at], g.IntN(100), 2)
		out = g.number(out, 1+g.IntN(12), 2)
		out = g.number(out, 1+g.IntN(28), 2)
		out = g.number(append(out, byte('3'+g.IntN(4))), g.IntN(10000), 4)
		a, b := 0, 0
		for i, d := range out[at:] {
			a += int(d-'0') * (i + 1)
			b += int(d-'0') * ((i+2)%11 + 1)
		}
		if a %= 11; a == 10 {
			a = b % 11
		}
		if a < 10 {
			return append(out, byte('0'+a))
		}
	}
}

func (g maker) shipment(out []byte, n int) []byte {
	out = append(g.number(append(out, "WB"...), n, 10), ',')
	out = append(out, pick(g, "王", "李", "张", "刘", "陈", "杨", "黄", "赵")...)
	out = append(out, pick(g, "伟", "芳", "娜", "敏", "静", "丽强", "磊军", "洋勇", "艳杰", "涛明")...)
	out = append(g.resident(append(out, ',')), ',')
	out = g.number(append(out, pick(g, "130", "135", "139", "150", "158", "186", "199")...), g.IntN(1e8), 8)
	out = g.number(append(append(out, ','), pick(g, "anna", "peter", "wei", "nurlan", "olga", "timur")...), g.IntN(1e6), 6)
	out = append(append(out, '@'), pick(g, "example.org", "example.com", "example.kz")...)
	out = append(g.iin(append(out, ',')), ',')
	out = append(out, pick(g, "Примеров", "Образцов", "Тестов", "Вымыслов", "Сказкин", "Шаблонов")...)
	out = append(out, pick(g, " Иван Петрович", " Олег Сергеевич", " Айгуль Серикович", " Анна Андреевна")...)
	out = append(g.day(append(out, ','), "-"), ',', '"')
	out = append(append(out, pick(g, "Abay ave", "Lenin str", "Example road", "Satpayev st")...), ", "...)
	out = append(strconv.AppendInt(out, int64(g.IntN(300)), 10), '"', ',')
	out = append(strconv.AppendInt(out, int64(g.IntN(90)), 10), '.', byte('0'+g.IntN(10)), ',')
	out = append(strconv.AppendInt(out, int64(g.IntN(100000)), 10), ',')
	out = append(append(out, pick(g, "new", "sent", "held", "done")...), ",2026-"...)
	out = append(g.number(out, 1+g.IntN(12), 2), '-')
	out = append(g.number(out, 1+g.IntN(28), 2), "T10:"...)
	out = append(g.number(out, g.IntN(60), 2), `:00Z,"say ""`...)
	return append(append(out, pick(g, "urgent", "fragile", "none", "cold")...), `"" twice"`+"\r\n"...)
}

// digestOf is the digest of a file as receipts write it.
func digestOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
