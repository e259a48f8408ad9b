//go:build !race

// Package racing tells tests whether the race detector watches. Everything
// then takes many times as long, so that what cannot race is left out, and a
// crowd is smaller: the same tests run whole without it.
package racing

// On says whether the race detector watches.
const On = false
