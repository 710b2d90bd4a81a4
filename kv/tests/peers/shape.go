package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// What bbolt takes for granted when it changes a tree, and does not check:
//
//   - a branch has two children or more: rebalancing a child asserts a sibling;
//   - a branch element's key is the first key of its child: when bbolt writes a
//     child it looks up the child's former first key in the parent, and if it is
//     not there the parent gets a second element for the same subtree;
//   - only the root of a bucket may be an empty leaf;
//   - a page carries its own number, 0 in an inline bucket (newer versions check).
//
// A file that breaks one of these reads well and is ruined by the next write,
// so the shape is checked here from the file's bytes.

const (
	pageHeader    = 16
	branchElement = 16
	leafElement   = 16
	branchFlag    = 1
	leafFlag      = 2
	bucketFlag    = 1
)

type shape struct {
	data     []byte
	pageSize uint64
	report   func(string, ...interface{})
}

// checkShape walks every tree of the file.
func checkShape(path string, report func(string, ...interface{})) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	pageSize, root, err := newestMeta(data)
	if err != nil {
		return err
	}
	s := shape{data, pageSize, report}
	s.tree(root)
	return nil
}

// newestMeta finds the page size and the root page in the meta with the higher
// transaction id. bbolt has opened the file before, so one of them is valid;
// after a completed commit both are.
func newestMeta(data []byte) (pageSize, root uint64, err error) {
	u32 := binary.LittleEndian.Uint32
	u64 := binary.LittleEndian.Uint64
	if len(data) < 80 {
		return 0, 0, fmt.Errorf("%d bytes are no database", len(data))
	}
	pageSize = uint64(u32(data[24:]))
	meta := data
	if second := data[pageSize:]; u64(second[64:]) > u64(meta[64:]) {
		meta = second
	}
	return pageSize, u64(meta[32:]), nil
}

// tree checks the tree at a page and those of the buckets in it.
func (s shape) tree(root uint64) { s.page(s.data[root*s.pageSize:], root, true) }

// page checks one page and all below it, and returns its first key.
func (s shape) page(p []byte, id uint64, isRoot bool) []byte {
	if own := binary.LittleEndian.Uint64(p); own != id {
		s.report("page %d: its header says %d", id, own)
	}
	flags := binary.LittleEndian.Uint16(p[8:])
	count := int(binary.LittleEndian.Uint16(p[10:]))
	switch flags {
	case branchFlag:
		if count < 2 {
			s.report("page %d: a branch with %d element(s)", id, count)
		}
		return s.branch(p, id, count)
	case leafFlag:
		if count == 0 && !isRoot {
			s.report("page %d: an empty leaf below a branch", id)
		}
		return s.leaf(p, count)
	default:
		s.report("page %d: flags %#x in a tree", id, flags)
		return nil
	}
}

func (s shape) branch(p []byte, id uint64, count int) (first []byte) {
	for i := 0; i < count; i++ {
		element := p[pageHeader+i*branchElement:]
		pos := binary.LittleEndian.Uint32(element)
		size := binary.LittleEndian.Uint32(element[4:])
		child := binary.LittleEndian.Uint64(element[8:])
		key := element[pos : pos+size]
		if i == 0 {
			first = key
		}
		childFirst := s.page(s.data[child*s.pageSize:], child, false)
		if !bytes.Equal(key, childFirst) {
			s.report("page %d: element %d has key %x, its child %d begins with %x", id, i, key, child, childFirst)
		}
	}
	return first
}

func (s shape) leaf(p []byte, count int) (first []byte) {
	for i := 0; i < count; i++ {
		element := p[pageHeader+i*leafElement:]
		flags := binary.LittleEndian.Uint32(element)
		pos := binary.LittleEndian.Uint32(element[4:])
		size := binary.LittleEndian.Uint32(element[8:])
		if i == 0 {
			first = element[pos : pos+size]
		}
		if flags&bucketFlag == 0 {
			continue
		}
		value := element[pos+size:]
		if root := binary.LittleEndian.Uint64(value); root != 0 {
			s.tree(root)
		} else {
			s.page(value[pageHeader:], 0, true)
		}
	}
	return first
}
