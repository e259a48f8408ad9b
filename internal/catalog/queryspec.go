package catalog

import (
	"encoding/json"
	"fmt"

	"corridor/internal/dsp"
)

// querySpec is what Eclipse EDC puts into the filter of every catalogue
// request. The protocol has pages of its own, so that its limit says nothing
// here; an offset would leave datasets out, and is refused.
type querySpec struct {
	Type       string `json:"@type"`
	Offset     int64  `json:"offset"`
	Limit      int64  `json:"limit"`
	SortOrder  string `json:"sortOrder"`
	SortField  string `json:"sortField"`
	Expression []struct {
		Left     string `json:"operandLeft"`
		Operator string `json:"operator"`
		Right    any    `json:"operandRight"`
	} `json:"filterExpression"`
}

// withoutQuerySpec writes the comparisons of EDC's filter as the protocol does.
func withoutQuerySpec(list []json.RawMessage) ([]json.RawMessage, error) {
	var out []json.RawMessage
	for i, raw := range list {
		var q querySpec
		if err := json.Unmarshal(raw, &q); err != nil || q.Type != "QuerySpec" {
			out = append(out, raw)
			continue
		}
		where := fmt.Sprintf("filter[%d]", i)
		if q.Offset != 0 {
			return nil, refuse(where+".offset", "is not zero: pages are followed by the Link header of the answer")
		}
		for j, e := range q.Expression {
			at := fmt.Sprintf("%s.filterExpression[%d]", where, j)
			right, ok := e.Right.(string)
			if e.Operator != "=" || !ok {
				return nil, refuse(at, fmt.Sprintf("%q is not a comparison with one string by =", clip(e.Left+" "+e.Operator)))
			}
			c, err := json.Marshal(dsp.Compare(e.Left, dsp.Eq, right))
			if err != nil {
				return nil, refuse(at, "cannot be read")
			}
			out = append(out, c)
		}
	}
	return out, nil
}
