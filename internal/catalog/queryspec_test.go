package catalog

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestTheFilterOfEDC(t *testing.T) {
	same := func(edc, ours string) {
		t.Helper()
		a, err := ParseFilter([]json.RawMessage{json.RawMessage(edc)})
		if err != nil {
			t.Fatal(err)
		}
		var list []json.RawMessage
		if ours != "" {
			list = append(list, json.RawMessage(ours))
		}
		if b, err := ParseFilter(list); err != nil || !reflect.DeepEqual(a, b) {
			t.Errorf("%s is %+v, %s is %+v, %v", edc, a, ours, b, err)
		}
	}
	same(`{"@type":"QuerySpec","limit":50,"offset":0,"sortOrder":"ASC","filterExpression":[]}`, "")
	same(`{"@type":"QuerySpec","limit":50,"offset":0,"filterExpression":[{"operandLeft":"https://w3id.org/edc/v0.0.1/ns/id","operator":"=","operandRight":"ports"}]}`,
		`{"leftOperand":"id","operator":"eq","rightOperand":"ports"}`)
	for _, c := range []struct{ filter, says string }{
		{`{"@type":"QuerySpec","offset":50}`, "Link header"},
		{`{"@type":"QuerySpec","filterExpression":[{"operandLeft":"id","operator":"like","operandRight":"p%"}]}`, "filterExpression[0]"},
		{`{"@type":"QuerySpec","filterExpression":[{"operandLeft":"id","operator":"=","operandRight":["a"]}]}`, "filterExpression[0]"},
		{`{"@type":"QuerySpec","filterExpression":[{"operandLeft":"owner","operator":"=","operandRight":"a"}]}`, "owner"},
	} {
		if _, err := ParseFilter([]json.RawMessage{json.RawMessage(c.filter)}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.filter, err)
		}
	}
}
