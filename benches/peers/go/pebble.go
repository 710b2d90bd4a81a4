package main

import (
	"github.com/cockroachdb/pebble/v2"
)

// pebbleStore is Pebble with default options. A transaction is a batch.
type pebbleStore struct {
	db    *pebble.DB
	write *pebble.WriteOptions
}

// quiet says only what is fatal.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { pebble.DefaultLogger.Fatalf(format, args...) }

func openPebble(dir string, durable bool) (engine, error) {
	db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}})
	if err != nil {
		return nil, err
	}
	write := pebble.NoSync
	if durable {
		write = pebble.Sync
	}
	return pebbleStore{db, write}, nil
}

func (s pebbleStore) close() error { return s.db.Close() }

func (s pebbleStore) put(p pairs) error {
	batch := s.db.NewBatch()
	for _, number := range p.numbers {
		if err := batch.Set(p.key(number), p.value(number), nil); err != nil {
			return err
		}
	}
	return batch.Commit(s.write)
}

func (s pebbleStore) batch(p pairs) error { return s.put(p) }

func (s pebbleStore) delete(p pairs) error {
	batch := s.db.NewBatch()
	for _, number := range p.numbers {
		if err := batch.Delete(p.key(number), nil); err != nil {
			return err
		}
	}
	return batch.Commit(s.write)
}

func (s pebbleStore) deleteRange() error { return s.db.DeleteRange(rangeFrom, rangeTo, s.write) }

func (s pebbleStore) retain() error {
	items, err := s.db.NewIter(nil)
	if err != nil {
		return err
	}
	defer items.Close()
	batch := s.db.NewBatch()
	for items.First(); items.Valid(); items.Next() {
		if !kept(items.Key()) {
			if err := batch.Delete(items.Key(), nil); err != nil {
				return err
			}
		}
	}
	if err := items.Error(); err != nil {
		return err
	}
	return batch.Commit(s.write)
}

func (s pebbleStore) get(p pairs) (uint64, error) {
	snapshot := s.db.NewSnapshot()
	defer snapshot.Close()
	var sum uint64
	for _, number := range p.numbers {
		value, closer, err := snapshot.Get(p.key(number))
		if err != nil {
			return 0, err
		}
		sum += digest(value)
		if err := closer.Close(); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

func (s pebbleStore) scan(p pairs, length uint64) (uint64, error) {
	snapshot := s.db.NewSnapshot()
	defer snapshot.Close()
	var sum uint64
	for _, number := range p.numbers {
		items, err := snapshot.NewIter(nil)
		if err != nil {
			return 0, err
		}
		valid := items.SeekGE(p.key(number))
		for left := length; valid && left > 0; left-- {
			sum += digest(items.Value())
			valid = items.Next()
		}
		if err := items.Close(); err != nil {
			return 0, err
		}
	}
	return sum, nil
}
