package main

import (
	"fmt"
	"strings"

	"corridor"
	"corridor/internal/law"
)

// factsFromSets reads --set name=VALUE flags; VALUE is YAML.
func factsFromSets(sets []string) (corridor.Facts, error) {
	if len(sets) == 0 {
		return nil, nil
	}
	facts := corridor.Facts{}
	for _, s := range sets {
		name, text, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--set " + s, Msg: "not of the form name=VALUE", Fix: "for example: --set 'data_classes=[personal]'"}
		}
		v, err := law.ParseValue(text)
		if err != nil {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--set " + s, Msg: "the value is not YAML", Fix: "put it in quotes for the shell, for example: --set 'data_classes=[personal]'"}
		}
		if _, twice := facts[name]; twice {
			return nil, &corridor.Error{Kind: corridor.Invalid, Where: "--set " + s, Msg: fmt.Sprintf("%s is given twice", name), Fix: "give it once"}
		}
		facts[name] = v
	}
	return facts, nil
}
