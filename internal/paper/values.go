package paper

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"corridor"
	"corridor/internal/law"
)

// Value writes the value of a fact as YAML on one line, in the form that
// --set and a file of facts take.
func Value(v any) string {
	switch x := v.(type) {
	case nil:
		return "none"
	case string:
		return word(x)
	case []any:
		parts := make([]string, len(x))
		for i, el := range x {
			parts[i] = Value(el)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case []string:
		parts := make([]string, len(x))
		for i, el := range x {
			parts[i] = word(el)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		return mapping(x)
	case corridor.Facts:
		return mapping(x)
	}
	return fmt.Sprint(v)
}

func mapping(m map[string]any) string {
	var parts []string
	for _, k := range sortedKeys(m) {
		parts = append(parts, word(k)+": "+Value(m[k]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// word quotes what YAML would read as something else.
func word(s string) string {
	plain := s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == ""
	if _, err := strconv.ParseFloat(s, 64); err == nil || !plain || slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off"}, strings.ToLower(s)) {
		return strconv.Quote(s)
	}
	return s
}

// flatten writes records one fact a line: vehicles.cn.standard_contract.
func flatten(f corridor.Facts) map[string]any {
	out := map[string]any{}
	for name, v := range f {
		m, ok := v.(map[string]any)
		if !ok {
			if facts, is := v.(corridor.Facts); is {
				m, ok = facts, true
			}
		}
		switch {
		case ok && slices.Contains([]string{"vehicles", "filings", "assessments"}, name):
			for kind, state := range m {
				flattenRecord(out, name+"."+kind, state)
			}
		case ok && strings.Contains(name, "."):
			flattenRecord(out, name, v)
		default:
			out[name] = v
		}
	}
	return out
}

func flattenRecord(out map[string]any, name string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		out[name] = v
		return
	}
	for key, x := range m {
		if key == "state" {
			out[name] = x
		} else {
			out[name+"."+key] = x
		}
	}
}

// questionsOf is what each fact and record asks.
func questionsOf(lib *law.Library) map[string]corridor.Text {
	out := map[string]corridor.Text{}
	for _, f := range lib.Vocabulary() {
		out[f.Name] = f.Question
	}
	for _, r := range lib.Records() {
		out[r.Name] = r.Question
	}
	return out
}

func addCites(have, more []corridor.Citation) []corridor.Citation {
	for _, c := range more {
		if !slices.ContainsFunc(have, func(h corridor.Citation) bool { return h.Instrument == c.Instrument && h.Article == c.Article }) {
			have = append(have, c)
		}
	}
	return have
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
