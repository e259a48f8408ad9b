package law

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"corridor"
)

// YAML writes cases as items of a cases.yaml, indented like those there.
func YAML(cases []Case, indent string) []byte {
	var b bytes.Buffer
	for _, c := range cases {
		fmt.Fprintf(&b, "%s- id: %s\n", indent, scalar(c.ID))
		line := func(key, value string) { fmt.Fprintf(&b, "%s  %s: %s\n", indent, key, value) }
		line("side", string(c.Side))
		line("facts", flowText(c.Flow))
		if c.Assume != DefaultProfile && c.Assume != "" {
			line("assume", scalar(c.Assume))
		}
		line("expect", c.Expect.String())
		if len(c.Obligations) > 0 {
			line("obligations", "["+strings.Join(c.Obligations, ", ")+"]")
		}
		if len(c.Without) > 0 {
			line("without", "["+strings.Join(c.Without, ", ")+"]")
		}
		if c.Note != "" {
			line("note", scalar(c.Note))
		}
		if c.Proposed {
			line("proposed", "true # the engine's own answer: compare it with the article, then delete this line")
		}
	}
	return b.Bytes()
}

var (
	firstItem  = regexp.MustCompile(`(?m)^( *)- `)
	emptyCases = regexp.MustCompile(`(?m)^cases:[ \t]*(\[[ \t]*\])?[ \t]*(#.*)?$`)
)

// AppendCases adds cases to the text of a cases.yaml and leaves what is there
// as it is.
func AppendCases(file []byte, cases []Case) []byte {
	if len(cases) == 0 {
		return file
	}
	out := slices.Clone(file)
	indent := "  "
	if m := firstItem.FindSubmatch(file); m != nil {
		indent = string(m[1])
	} else if at := emptyCases.FindIndex(file); at != nil {
		out = slices.Concat(file[:at[0]], []byte("cases:"), file[at[1]:])
	} else {
		out = append(out, "cases:\n"...)
	}
	if len(out) > 0 && out[len(out)-1] != '\n' {
		out = append(out, '\n')
	}
	return append(out, YAML(cases, indent)...)
}

// flowText writes the facts of a case on one line: who, when and what first.
func flowText(f corridor.Flow) string {
	parts := []string{"date: " + f.Date.String(), "origin: " + scalar(f.Origin), "destination: " + scalar(f.Destination)}
	names := keys(f.Facts)
	if i := slices.Index(names, "data_classes"); i > 0 {
		names = slices.Insert(slices.Delete(names, i, i+1), 0, "data_classes")
	}
	for _, name := range names {
		parts = append(parts, scalar(name)+": "+flowValue(f.Facts[name]))
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

func flowValue(v any) string {
	if list, ok := array(v); ok {
		var parts []string
		for _, el := range list {
			parts = append(parts, flowValue(el))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	if m, ok := object(v); ok {
		var parts []string
		names := keys(m)
		slices.SortStableFunc(names, func(a, b string) int { return recordOrder[a] - recordOrder[b] })
		for _, k := range names {
			if m[k] != nil {
				parts = append(parts, scalar(k)+": "+flowValue(m[k]))
			}
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	switch x := v.(type) {
	case nil:
		return "null"
	case string:
		return scalar(x)
	}
	return fmt.Sprint(v)
}

// recordOrder puts the kind of a record first and its date last.
var recordOrder = map[string]int{"kind": -2, "state": -1, "filed_on": 1}

var (
	plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.()-]*( [A-Za-z0-9_.()-]+)*$|^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	special   = regexp.MustCompile(`^(?i:y|n|yes|no|true|false|on|off|null|nan|inf)$`)
)

// scalar writes text so that it reads back as the same text.
func scalar(s string) string {
	if plainText.MatchString(s) && !special.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", "''") + "'"
}
