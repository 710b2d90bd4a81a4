// Engines that are written in Go, for the comparison in this crate: does the tasks that come by standard input, and
// answers by standard output. src/task.rs and src/reply.rs say what they look like.
//
//	peers ENGINE DIRECTORY durable|not-synced
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// engine is a store that is open. Every call is one transaction.
type engine interface {
	put(pairs pairs) error
	batch(pairs pairs) error
	delete(pairs pairs) error
	deleteRange() error
	retain() error
	get(pairs pairs) (uint64, error)
	scan(pairs pairs, len uint64) (uint64, error)
	close() error
}

var errMissing = errors.New("a pair that was put is not there")

func open(name, dir string, durable bool) (engine, error) {
	if name == "pebble" {
		return openPebble(dir, durable)
	}
	return openBbolt(name, dir, durable)
}

type task struct {
	operation     string
	size, threads uint64
	pairs         pairs
}

type reply struct {
	sum          uint64
	wall, cpu    time.Duration
	transactions []time.Duration
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: peers ENGINE DIRECTORY durable|not-synced")
		os.Exit(2)
	}
	if err := serve(os.Args[1], os.Args[2], os.Args[3] == "durable"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(name, dir string, durable bool) error {
	out := bufio.NewWriter(os.Stdout)
	answer := func(r reply, err error) error {
		if err != nil {
			fmt.Fprintln(out, "error", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprint(out, "ok ", r.sum, " ", r.wall.Nanoseconds(), " ", r.cpu.Nanoseconds())
			for _, t := range r.transactions {
				fmt.Fprint(out, " ", t.Nanoseconds())
			}
			fmt.Fprintln(out)
		}
		return out.Flush()
	}
	wall, cpu := time.Now(), processorTime()
	e, err := open(name, dir, durable)
	if err != nil {
		return answer(reply{}, err)
	}
	if err := answer(reply{wall: time.Since(wall), cpu: processorTime() - cpu}, nil); err != nil {
		return err
	}
	in := bufio.NewReader(os.Stdin)
	for {
		t, err := read(in)
		if err == io.EOF {
			return e.close()
		}
		if err != nil {
			return err
		}
		if err := answer(run(e, t)); err != nil {
			return err
		}
	}
}

func read(in *bufio.Reader) (task, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return task{}, err
	}
	var t task
	var keys string
	var count int
	if _, err := fmt.Sscan(line, &t.operation, &t.size, &t.threads, &keys, &t.pairs.valueBytes, &count); err != nil {
		return task{}, err
	}
	t.pairs.ascending = keys == "ascending"
	t.pairs.numbers = make([]uint64, count)
	return t, binary.Read(in, binary.LittleEndian, t.pairs.numbers)
}

func run(e engine, t task) (reply, error) {
	wall, cpu := time.Now(), processorTime()
	var all reply
	if t.threads > 1 {
		var lock sync.Mutex
		var wait sync.WaitGroup
		var failed error
		count := uint64(len(t.pairs.numbers))
		for _, part := range t.pairs.chunks(max(1, (count+t.threads-1)/t.threads)) {
			wait.Go(func() {
				one, err := work(e, t, part)
				lock.Lock()
				defer lock.Unlock()
				all.sum += one.sum
				all.transactions = append(all.transactions, one.transactions...)
				failed = errors.Join(failed, err)
			})
		}
		wait.Wait()
		if failed != nil {
			return reply{}, failed
		}
	} else {
		one, err := work(e, t, t.pairs)
		if err != nil {
			return reply{}, err
		}
		all = one
	}
	all.wall = time.Since(wall)
	if len(all.transactions) > 0 {
		settle()
	}
	all.cpu = processorTime() - cpu
	return all, nil
}

func work(e engine, t task, p pairs) (reply, error) {
	var r reply
	timed := func(transaction func() error) error {
		begin := time.Now()
		err := transaction()
		r.transactions = append(r.transactions, time.Since(begin))
		return err
	}
	each := func(call func(pairs) error) error {
		for _, part := range p.chunks(t.size) {
			if err := call(part); err != nil {
				return err
			}
		}
		return nil
	}
	var err error
	switch t.operation {
	case "put":
		err = each(func(p pairs) error { return timed(func() error { return e.put(p) }) })
	case "batch":
		err = each(func(p pairs) error { return timed(func() error { return e.batch(p) }) })
	case "delete":
		err = each(func(p pairs) error { return timed(func() error { return e.delete(p) }) })
	case "delete-range":
		err = timed(e.deleteRange)
	case "retain":
		err = timed(e.retain)
	case "get":
		err = each(func(p pairs) error {
			sum, err := e.get(p)
			r.sum += sum
			return err
		})
	case "get-many":
		r.sum, err = e.get(p)
	case "scan":
		r.sum, err = e.scan(p, t.size)
	default:
		err = fmt.Errorf("%q is no operation", t.operation)
	}
	return r, err
}

// settle waits until there is nothing more to do in the background, ten seconds at most: that is part of the work, too.
func settle() {
	const pause = 20 * time.Millisecond
	for begin := time.Now(); time.Since(begin) < 10*time.Second; {
		before := processorTime()
		time.Sleep(pause)
		if processorTime()-before < pause/20 {
			return
		}
	}
}

// processorTime is that of the whole process, the system's work for it included.
func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
