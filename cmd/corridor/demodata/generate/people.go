package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// person is somebody who does not exist.
type person struct {
	name, iin, resident, phone, email string
}

// people is how many different persons the generator makes up; the rows share
// them, so that a pseudonym can be seen to join.
const people = 1500

var givenNames = []string{"Aigerim", "Daniyar", "Aruzhan", "Nurlan", "Dinara", "Timur", "Zarina", "Arman", "Madina", "Ruslan",
	"Li", "Wei", "Fang", "Min", "Jun", "Yan", "Anna", "Ivan", "Olga", "Pavel", "Marta", "Jonas", "Leila", "Farid", "Nigora"}

var familyNames = []string{"Testova", "Primerov", "Obraztsova", "Vymyslova", "Skazkin", "Nebylova", "Fiktivov", "Sampleva",
	"Exemplar", "Mustermann", "Placeholder", "Probnaya", "Nobody", "Nemo", "Doe", "Roe", "Storyev", "Novelova", "Fabula", "Ertegi"}

// makePeople draws the persons from a seed: the same seed gives the same
// persons on every machine.
func makePeople(seed uint64) []person {
	r := rand.New(rand.NewPCG(seed, 2013))
	out := make([]person, people)
	for i := range out {
		given, family := givenNames[r.IntN(len(givenNames))], familyNames[r.IntN(len(familyNames))]
		out[i] = person{
			name:     given + " " + family,
			iin:      iin(r),
			resident: residentID(r),
			phone:    fmt.Sprintf("+1%d55501%02d", areaCodes[i/100], i%100),
			email:    fmt.Sprintf("%s.%s.%d@example.org", strings.ToLower(given), strings.ToLower(family), i),
		}
	}
	return out
}

// areaCodes carry the numbers 555-0100 to 555-0199, which the North American
// numbering plan sets aside for fiction.
var areaCodes = [people / 100]int{201, 202, 212, 213, 215, 302, 303, 305, 312, 313, 404, 412, 415, 503, 617}

// iin makes a Kazakh individual identification number with a valid check
// digit for a birth between 1880 and 1889: the number was introduced in 2013,
// so no living person can hold it.
func iin(r *rand.Rand) string {
	for {
		body := fmt.Sprintf("%02d%02d%02d%d%04d", 80+r.IntN(10), 1+r.IntN(12), 1+r.IntN(28), 1+r.IntN(2), r.IntN(10000))
		sum := weigh(body, 0) % 11
		if sum == 10 {
			sum = weigh(body, 2) % 11
		}
		if sum < 10 {
			return fmt.Sprintf("%s%d", body, sum)
		}
	}
}

// weigh multiplies digit i by the weight 1..11 that starts shift places on.
func weigh(digits string, shift int) int {
	sum := 0
	for i, d := range digits {
		sum += int(d-'0') * ((i+shift)%11 + 1)
	}
	return sum
}

// residentID makes a Chinese resident identity number (GB 11643) with a valid
// check digit for a birth between 1880 and 1889: the 18-digit number was
// introduced in 1999, so no living person can hold it.
func residentID(r *rand.Rand) string {
	regions := [...]int{110101, 310101, 440103, 510104, 610102}
	body := fmt.Sprintf("%06d%04d%02d%02d%03d", regions[r.IntN(len(regions))], 1880+r.IntN(10), 1+r.IntN(12), 1+r.IntN(28), r.IntN(1000))
	weights := [...]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	sum := 0
	for i, d := range body {
		sum += int(d-'0') * weights[i]
	}
	return body + string("10X98765432"[sum%11])
}
