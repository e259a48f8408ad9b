package main

import (
	"fmt"
	"io"
	"slices"

	"corridor"
)

func readLimited(r io.Reader, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxInput+1))
	if err != nil {
		return nil, corridor.E(corridor.Invalid, "%s: %w", name, err)
	}
	if len(data) > maxInput {
		return nil, &corridor.Error{Kind: corridor.Limited, Where: name, Msg: fmt.Sprintf("is over the limit of %d bytes", maxInput), Fix: "check that it is the file that was meant"}
	}
	return data, nil
}

// narrow joins what two sources say of one fact. The later is more exact, and
// an error if it denies what the earlier shows. Shapes that it does not know
// are left to the law engine, which explains them.
func narrow(name string, have, more any, by string) (any, error) {
	if h, ok := factShape(have); ok {
		if _, set := h["has"]; set {
			return narrowSet(name, h, more, by)
		}
		lo, okLo := wholeNumber(h["min"])
		hi, okHi := wholeNumber(h["max"])
		if n, ok := wholeNumber(more); ok && (okLo && n < lo || okHi && n > hi) {
			return nil, contradicts(name, have, more, by)
		}
		if m, ok := factShape(more); ok && (okLo || okHi) {
			return narrowSpan(name, h, m, by)
		}
	}
	return more, nil
}

func narrowSpan(name string, have, more map[string]any, by string) (any, error) {
	out := map[string]any{}
	for key, v := range have {
		out[key] = v
	}
	for key, v := range more {
		a, okA := wholeNumber(out[key])
		b, okB := wholeNumber(v)
		if !okA || !okB || key == "min" && b > a || key == "max" && b < a {
			out[key] = v
		}
	}
	lo, okLo := wholeNumber(out["min"])
	hi, okHi := wholeNumber(out["max"])
	if okLo && okHi && lo > hi {
		return nil, contradicts(name, have, more, by)
	}
	return out, nil
}

// narrowSet joins {has, lacks} with a list or with more of the same.
func narrowSet(name string, have map[string]any, more any, by string) (any, error) {
	has := memberWords(have["has"])
	if list, ok := more.([]any); ok {
		for _, w := range has {
			if !slices.Contains(memberWords(list), w) {
				return nil, contradicts(name, has, more, by)
			}
		}
		return more, nil
	}
	m, ok := factShape(more)
	if !ok {
		return more, nil
	}
	lacks := append(memberWords(have["lacks"]), memberWords(m["lacks"])...)
	has = append(has, memberWords(m["has"])...)
	slices.Sort(has)
	slices.Sort(lacks)
	has, lacks = slices.Compact(has), slices.Compact(lacks)
	for _, w := range has {
		if slices.Contains(lacks, w) {
			return nil, contradicts(name, have, more, by)
		}
	}
	return map[string]any{"has": has, "lacks": lacks}, nil
}

func factShape(v any) (map[string]any, bool) {
	switch m := v.(type) {
	case map[string]any:
		return m, true
	case corridor.Facts:
		return m, true
	}
	return nil, false
}

func memberWords(v any) []string {
	switch l := v.(type) {
	case []string:
		return slices.Clone(l)
	case []any:
		var out []string
		for _, el := range l {
			if s, ok := el.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), n == float64(int64(n))
	}
	return 0, false
}
