package main

import "encoding/binary"

const (
	keyBytes   = 24
	usualValue = 150 // all of it is random; of a longer one that are eight bytes at each end
)

// The keys that deleteRange deletes.
var rangeFrom, rangeTo = []byte{0x40}, []byte{0xC0}

// kept says whether retain keeps a key.
func kept(key []byte) bool { return key[len(key)-1] < 0x80 }

// random is SplitMix64.
type random uint64

func (r *random) fill(bytes []byte) {
	for len(bytes) > 0 {
		*r += 0x9E3779B97F4A7C15
		word := uint64(*r)
		word = (word ^ word>>30) * 0xBF58476D1CE4E5B9
		word = (word ^ word>>27) * 0x94D049BB133111EB
		word ^= word >> 31
		if len(bytes) >= 8 {
			binary.LittleEndian.PutUint64(bytes, word)
			bytes = bytes[8:]
			continue
		}
		var last [8]byte
		binary.LittleEndian.PutUint64(last[:], word)
		copy(bytes, last[:])
		return
	}
}

// pairs are what a call works on: numbers, from which keys and values are made as in src/pairs.rs.
type pairs struct {
	numbers    []uint64
	ascending  bool
	valueBytes int
}

func (p pairs) key(number uint64) []byte {
	key := make([]byte, keyBytes)
	if p.ascending {
		for i := range key[:16] {
			key[i] = 0xFF
		}
		binary.BigEndian.PutUint64(key[16:], number)
	} else {
		r := random(number * 0xD6E8FEB86659FD93)
		r.fill(key)
	}
	return key
}

func (p pairs) value(number uint64) []byte {
	value := make([]byte, p.valueBytes)
	r := random(^number)
	if len(value) > usualValue+8 {
		r.fill(value[:8])
		r.fill(value[len(value)-8:])
	} else {
		r.fill(value)
	}
	return value
}

// chunks are parts of so many pairs.
func (p pairs) chunks(size uint64) []pairs {
	var parts []pairs
	for rest := p.numbers; len(rest) > 0; {
		part := p
		part.numbers = rest[:min(size, uint64(len(rest)))]
		rest = rest[len(part.numbers):]
		parts = append(parts, part)
	}
	return parts
}

// digest is what a value adds to the sum of what was read.
func digest(value []byte) uint64 {
	if len(value) < 8 {
		return 0
	}
	last := binary.LittleEndian.Uint64(value[len(value)-8:])
	return binary.LittleEndian.Uint64(value) + (last<<32 | last>>32)
}
