package server

import (
	"context"

	"corridor"
)

// What authorities sign comes in here: by the operator's hand, or pushed by
// whoever has it. A document says itself who signed it.

// document hands a signed document to a use case. A file may end in a line
// break, or be spread over lines; what it says is read strictly.
func document[A any](call func(context.Context, []byte) (A, error)) func(*request) (any, error) {
	return func(q *request) (any, error) {
		raw, err := corridor.Canonicalize(q.body)
		if err != nil {
			return nil, err
		}
		return called(call(q.ctx, raw))
	}
}

func (s *server) compacts(*request) (any, error) { return page{Items: s.x.Compacts()}, nil }

// maxPushed bounds a pushed order: anybody can send one.
const maxPushed = corridor.MaxDocument

// pushedOrder takes an order, or a feed, from whoever brings it. It is believed
// for its signature alone, which must be of an authority of a compact here.
func (s *server) pushedOrder(q *request) (any, error) {
	if len(q.body) > maxPushed {
		return nil, corridor.E(corridor.Limited, "an order has at most %d bytes", maxPushed)
	}
	return called(s.x.Take(q.ctx, q.body))
}

// lookAtKeys lets the node write down what a command has changed about its keys.
func (s *server) lookAtKeys(q *request) (any, error) { return called(s.x.LookAtKeys(q.ctx)) }

// lookAtSettings does the same for the files of its directory.
func (s *server) lookAtSettings(q *request) (any, error) { return called(s.x.LookAtSettings(q.ctx)) }

func (s *server) about(*request) (any, error) { return s.x.About(), nil }
