package scan

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// person is somebody made up, with one number and one way to write the name.
type person struct{ name, iin, dob, phone string }

func people(g gen, n int) []person {
	out := make([]person, n)
	for i := range out {
		out[i] = person{g.nameRU(), g.iin(), g.date(1950, 2005, ""), g.phoneKZ()}
	}
	return out
}

// TestTheIntervalHoldsTheTruth makes tables about a known number of people,
// with repeats, gaps and any choice of columns, and asks for an interval that
// holds that number.
func TestTheIntervalHoldsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := newGen(rapid.Uint64().Draw(t, "seed"))
		all := people(g, rapid.IntRange(20, 120).Draw(t, "people"))
		rows := rapid.IntRange(20, 300).Draw(t, "rows")
		gap := rapid.Float64Range(0, 0.6).Draw(t, "gap")
		use := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"name", "iin", "dob", "phone"}), 1, 4, rapid.ID[string]).Draw(t, "columns")
		var b strings.Builder
		b.WriteString("n," + strings.Join(use, ",") + "\n")
		seen := map[string]bool{}
		for i := range rows {
			p := all[g.IntN(len(all))]
			fmt.Fprintf(&b, "%d", i)
			any := false
			for _, c := range use {
				v := map[string]string{"name": p.name, "iin": p.iin, "dob": p.dob, "phone": p.phone}[c]
				if g.Float64() < gap {
					v = ""
				}
				any = any || v != ""
				b.WriteString("," + v)
			}
			b.WriteByte('\n')
			if any {
				seen[p.iin] = true
			}
		}
		rep := scanText(tb{t}, b.String(), Options{})
		truth := int64(len(seen))
		if rep.Subjects.Max == 0 { // too little was left to recognise
			return
		}
		if truth < rep.Subjects.Min || truth > rep.Subjects.Max {
			t.Fatalf("%d people, the scan says %+v\n%s", truth, rep.Subjects, b.String())
		}
	})
}

// tb lets helpers for tests serve rapid.
type tb struct{ *rapid.T }

func (tb) Helper() {}

func TestCompleteNumbersGiveAnExactCount(t *testing.T) {
	g := newGen(12)
	all := people(g, 40)
	var b strings.Builder
	b.WriteString("customer,iin,amount\n")
	for i := range 500 {
		p := all[i%40]
		fmt.Fprintf(&b, "%s,%s,%d\n", p.name, p.iin, i)
	}
	rep := scanText(t, b.String(), Options{})
	if s := rep.Subjects; !s.Exact || s.Min != 40 || s.Max != 40 {
		t.Errorf("%+v", s)
	}
	if rep.Facts["subjects_in_file"] != int64(40) {
		t.Errorf("fact %v", rep.Facts["subjects_in_file"])
	}
}

func TestNameAndBirthDateTellNamesakesApart(t *testing.T) {
	rep := scanText(t, "ФИО,Дата рождения\nИванов Иван Иванович,01.02.1980\nИВАНОВ  ИВАН ИВАНОВИЧ,1980-02-01\nИванов Иван Иванович,03.04.1990\nПетрова Анна Ильинична,05.06.1970\n", Options{})
	if s := rep.Subjects; s.Min != 3 || s.Max != 4 || s.Estimate != 3 {
		t.Errorf("%+v", s)
	}
}

func TestSenderAndRecipientAreTwoPeople(t *testing.T) {
	g := newGen(13)
	var b strings.Builder
	b.WriteString("sender_name,sender_phone,recipient_name,recipient_phone\n")
	for range 50 {
		p := people(g, 2)
		fmt.Fprintf(&b, "%s,%s,%s,%s\n", p[0].name, p[0].phone, p[1].name, p[1].phone)
	}
	if s := scanText(t, b.String(), Options{}).Subjects; s.Max != 100 || s.Min < 40 || s.Min > 50 {
		t.Errorf("%+v", s)
	}
}

func TestARoleNameBesideAPlainNumberIsOnePerson(t *testing.T) {
	g := newGen(14)
	var b strings.Builder
	b.WriteString("收货人,身份证号,手机\n")
	for range 60 {
		fmt.Fprintf(&b, "%s,%s,%s\n", g.nameZH(), g.cnID(), g.phoneCN())
	}
	if s := scanText(t, b.String(), Options{}).Subjects; s.Max != 60 || !s.Exact {
		t.Errorf("%+v", s)
	}
}

func TestAPhoneAloneProvesNoLowerBound(t *testing.T) {
	g := newGen(15)
	var b strings.Builder
	b.WriteString("phone,x\n")
	for range 30 {
		fmt.Fprintf(&b, "%s,1\n", g.phoneKZ())
	}
	if s := scanText(t, b.String(), Options{}).Subjects; s.Min != 1 || s.Max != 30 || s.Estimate != 30 {
		t.Errorf("%+v", s)
	}
}

func TestSensitivePeopleAreThoseOfTheRows(t *testing.T) {
	g := newGen(16)
	var b strings.Builder
	b.WriteString("iin,диагноз,amount\n")
	for i := range 200 {
		d := ""
		if i < 30 {
			d = g.pick("J06.9 I10 E11.9 K29.1")
		}
		fmt.Fprintf(&b, "%s,%s,%d\n", g.iin(), d, i)
	}
	rep := scanText(t, b.String(), Options{})
	if s := rep.Sensitive; s.Min != 30 || s.Max != 30 {
		t.Errorf("%+v", s)
	}
	if rep.Facts["sensitive_subjects_in_file"] != int64(30) {
		t.Errorf("fact %v", rep.Facts["sensitive_subjects_in_file"])
	}
}

func TestManyPeopleAreEstimatedWithAStatedInterval(t *testing.T) {
	g := newGen(17)
	var b strings.Builder
	b.WriteString("iin,amount\n")
	seen := map[string]bool{}
	for i := range 30_000 {
		iin := g.iin()
		seen[iin] = true
		fmt.Fprintf(&b, "%s,%d\n", iin, i)
	}
	s := scanText(t, b.String(), Options{ExactLimit: 1000}).Subjects
	if truth := int64(len(seen)); s.Exact || truth < s.Min || truth > s.Max || s.Max-s.Min > truth/30 {
		t.Errorf("%+v, truth %d", s, truth)
	}
}

func TestListsOfPeopleAreAddedUp(t *testing.T) {
	g := newGen(18)
	var b strings.Builder
	for range 40 {
		fmt.Fprintf(&b, `{"contacts":[{"name":%q,"phone":%q},{"name":%q,"phone":%q}]}`+"\n", g.nameRU(), g.phoneKZ(), g.nameRU(), g.phoneKZ())
	}
	rep := scanText(t, b.String(), Options{})
	if s := rep.Subjects; s.Max < 80 {
		t.Errorf("%+v: two people in each of 40 rows", s)
	}
}

func TestNumbersThatAppearLateStillCount(t *testing.T) {
	g := newGen(19)
	var b strings.Builder
	b.WriteString("f1,f2\n")
	for i := range 60_000 {
		id := ""
		if i > 50_000 {
			id = g.iin()
		}
		fmt.Fprintf(&b, "%s,%d\n", id, i)
	}
	s := scanText(t, b.String(), Options{}).Subjects
	if s.Min < 9_900 || s.Max < 9_999 {
		t.Errorf("%+v: 9,999 people stand at the end", s)
	}
}

func TestPeopleWhomOnlyLateRowsShowRaiseTheUpperBound(t *testing.T) {
	g := newGen(20)
	var b strings.Builder
	b.WriteString("iin,f2,n\n")
	for i := range 60_000 {
		iin, mail := "", ""
		if i < 10 {
			iin = g.iin()
		} else if i > 50_000 {
			mail = fmt.Sprintf("p%d@example.org", i)
		}
		fmt.Fprintf(&b, "%s,%s,%d\n", iin, mail, i)
	}
	if s := scanText(t, b.String(), Options{}).Subjects; s.Min > 10 || s.Max < 9_999+10 {
		t.Errorf("%+v: ten numbers at the top, 9,999 addresses at the end", s)
	}
}

func TestNumbersThatPassByChanceAreNobody(t *testing.T) {
	g := newGen(22)
	var b strings.Builder
	b.WriteString("iin,n\n")
	for i := range 3000 {
		v := []byte(g.iin())
		if i%3 > 0 {
			v[11] = byte('0' + g.IntN(10)) // mostly wrong
		}
		fmt.Fprintf(&b, "%s,%d\n", v, i)
	}
	if s := scanText(t, b.String(), Options{}).Subjects; s.Min > 1000 || s.Min < 800 {
		t.Errorf("%+v: 1,000 numbers are certain", s)
	}
}
