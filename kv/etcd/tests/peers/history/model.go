package main

import (
	"context"

	"github.com/anishathalye/porcupine"
	clientv3 "go.etcd.io/etcd/client/v3"
)

type kind int

const (
	get kind = iota
	put
	remove
	compare
)

var kinds = []kind{get, get, get, put, put, compare, compare, remove}

// What a client asks for. No value is written twice, and none is empty.
type input struct {
	kind  kind
	key   string
	value string
	// Of a compare: the value that is replaced, or nothing if there must be no key.
	expected string
}

// What it is told.
type output struct {
	// Of a get: nothing if there is no key.
	value string
	// Whether a compare has found what it expected, or a delete something to delete; true of a put.
	changed bool
	// Nobody knows: the answer has not come.
	unknown bool
}

// A key holds a value, or nothing.
var model = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[string][]porcupine.Operation{}
		for _, operation := range history {
			key := operation.Input.(input).key
			parts[key] = append(parts[key], operation)
		}
		var all [][]porcupine.Operation
		for _, part := range parts {
			all = append(all, part)
		}
		return all
	},
	Init: func() any { return "" },
	Step: func(state, asked, told any) (bool, any) {
		value, in, out := state.(string), asked.(input), told.(output)
		switch in.kind {
		case get:
			return out.value == value, value
		case put:
			return true, in.value
		case remove:
			return out.unknown || out.changed == (value != ""), ""
		default:
			if value == in.expected {
				return out.unknown || out.changed, in.value
			}
			return out.unknown || !out.changed, value
		}
	},
}

// Asks the server; and the revision that the answer has.
func ask(ctx context.Context, client *clientv3.Client, asked input) (output, int64, error) {
	switch asked.kind {
	case get:
		seen, err := client.Get(ctx, asked.key)
		if err != nil || seen.Count == 0 {
			return output{}, 0, err
		}
		return output{value: string(seen.Kvs[0].Value)}, 0, nil
	case put:
		done, err := client.Put(ctx, asked.key, asked.value)
		if err != nil {
			return output{}, 0, err
		}
		return output{changed: true}, done.Header.Revision, nil
	case remove:
		done, err := client.Delete(ctx, asked.key)
		if err != nil {
			return output{}, 0, err
		}
		return output{changed: done.Deleted > 0}, done.Header.Revision, nil
	default:
		condition := clientv3.Compare(clientv3.Value(asked.key), "=", asked.expected)
		if asked.expected == "" {
			condition = clientv3.Compare(clientv3.CreateRevision(asked.key), "=", 0)
		}
		done, err := client.Txn(ctx).If(condition).Then(clientv3.OpPut(asked.key, asked.value)).Commit()
		if err != nil {
			return output{}, 0, err
		}
		return output{changed: done.Succeeded}, done.Header.Revision, nil
	}
}
