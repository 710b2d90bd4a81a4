package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// longestPlainValue is the length in bytes up to which a value is printed whole.
const longestPlainValue = 1024

// hexText is the text form of a key or a name; "-" is the empty one.
func hexText(b []byte) string {
	if len(b) == 0 {
		return "-"
	}
	return hex.EncodeToString(b)
}

// valueText is the text form of a value.
func valueText(v []byte) string {
	if len(v) > longestPlainValue {
		return fmt.Sprintf("#%d:%x", len(v), sha256.Sum256(v))
	}
	return hexText(v)
}

// pathText is the text form of the way to a bucket.
func pathText(path [][]byte) string {
	names := make([]string, len(path))
	for i, name := range path {
		names[i] = hexText(name)
	}
	return strings.Join(names, "/")
}

// parseBytes reads a key, a name or a value of a program: hex, "-" for the
// empty one, or "#LEN:SEED". The answer is never nil.
func parseBytes(text string) ([]byte, error) {
	if text == "-" {
		return []byte{}, nil
	}
	if !strings.HasPrefix(text, "#") {
		return hex.DecodeString(text)
	}
	length, seed, ok := strings.Cut(text[1:], ":")
	if !ok {
		return nil, fmt.Errorf("%q lacks a seed", text)
	}
	n, err := strconv.Atoi(length)
	if err != nil {
		return nil, err
	}
	s, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return nil, err
	}
	return expand(n, s), nil
}

// expand makes the n bytes that "#n:seed" stands for: the outputs of
// xorshift64* (Vigna 2016) as little-endian words, cut to length. Zero is no
// state of that generator, so seed 0 stands for 0x9E3779B97F4A7C15.
func expand(n int, seed uint64) []byte {
	if seed == 0 {
		seed = 0x9E3779B97F4A7C15
	}
	b := make([]byte, (n+7)/8*8)
	for i := 0; i < n; i += 8 {
		seed ^= seed >> 12
		seed ^= seed << 25
		seed ^= seed >> 27
		binary.LittleEndian.PutUint64(b[i:], seed*0x2545F4914F6CDD1D)
	}
	return b[:n]
}

// parsePath reads names joined by "/".
func parsePath(text string) ([][]byte, error) {
	var path [][]byte
	for _, part := range strings.Split(text, "/") {
		name, err := parseBytes(part)
		if err != nil {
			return nil, err
		}
		path = append(path, name)
	}
	return path, nil
}
