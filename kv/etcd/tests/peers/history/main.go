// Clients that write, read and compare keys of a server which is killed now and then, until the standard input ends; then
// it is judged whether what they saw could have come from one store that does one thing at a time.
//
// Arguments: the server's address, the number of clients, a seed, and a bug to plant into what was seen, if any.
package main

import (
	"context"
	"fmt"
	"io"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const (
	// Keys that are used at a time.
	keys = 40
	// How long a set of keys is used: what nobody knows the outcome of is dear to judge, so that no key may have much.
	period = time.Second
	// How long a client waits for an answer.
	patience = 3 * time.Second
	// How long the judgement may take.
	judgement = 2 * time.Minute
)

// What all clients share.
type run struct {
	began   time.Time
	over    atomic.Bool
	lock    sync.Mutex
	history []porcupine.Operation
	// What was acknowledged, by its revision.
	acknowledged map[int64]input
}

func main() {
	clients, err := strconv.Atoi(os.Args[2])
	check(err)
	seed, err := strconv.ParseInt(os.Args[3], 10, 64)
	check(err)
	plant := ""
	if len(os.Args) > 4 {
		plant = os.Args[4]
	}
	run := &run{began: time.Now(), acknowledged: map[int64]input{}}
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() { run.client(client, rand.New(rand.NewSource(seed+int64(client)))) })
	}
	io.Copy(io.Discard, os.Stdin)
	run.over.Store(true)
	group.Wait()
	check(run.plant(plant))
	check(run.readBack())
	check(run.judge())
	fmt.Printf("%d operations, %d acknowledged writes, %d clients, seed %d\n", len(run.history), len(run.acknowledged), clients, seed)
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func connect() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}, DialTimeout: 30 * time.Second, Logger: zap.NewNop()})
}

// One thing after another, until the run is over.
func (run *run) client(id int, random *rand.Rand) {
	client, err := connect()
	check(err)
	defer client.Close()
	for n := 0; !run.over.Load(); n++ {
		// Of this period or the one before: what was acknowledged before a kill is read after it.
		set := int(time.Since(run.began)/period) - random.Intn(2)
		asked := input{
			kind:  kinds[random.Intn(len(kinds))],
			key:   fmt.Sprintf("history/%d/%d", set, random.Intn(keys)),
			value: fmt.Sprintf("%d/%d", id, n),
		}
		run.do(client, id, asked)
	}
}

// Does it, and notes it.
func (run *run) do(client *clientv3.Client, id int, asked input) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if asked.kind == compare {
		// What it is compared with was there a moment ago.
		seen, err := client.Get(ctx, asked.key)
		if err != nil {
			return
		}
		if seen.Count > 0 {
			asked.expected = string(seen.Kvs[0].Value)
		}
	}
	call := time.Since(run.began)
	answer, revision, err := ask(ctx, client, asked)
	returned := time.Since(run.began)
	if err != nil {
		if asked.kind == get {
			return
		}
		// It may have happened, and may still happen.
		answer, returned = output{unknown: true}, 1<<62
	}
	run.lock.Lock()
	defer run.lock.Unlock()
	run.history = append(run.history, porcupine.Operation{
		ClientId: id, Input: asked, Output: answer, Call: int64(call), Return: int64(returned),
	})
	if err == nil && answer.changed {
		run.acknowledged[revision] = asked
	}
}

// Every acknowledged write is still there, at its revision.
func (run *run) readBack() error {
	client, err := connect()
	if err != nil {
		return err
	}
	defer client.Close()
	for revision, written := range run.acknowledged {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		seen, err := client.Get(ctx, written.key, clientv3.WithRev(revision))
		cancel()
		switch {
		case err != nil:
			return fmt.Errorf("revision %d: %w", revision, err)
		case written.kind == remove && seen.Count == 0:
		case written.kind != remove && seen.Count == 1 && string(seen.Kvs[0].Value) == written.value && seen.Kvs[0].ModRevision == revision:
		default:
			return fmt.Errorf("LOST: revision %d was acknowledged as %+v, and is %v", revision, written, seen.Kvs)
		}
	}
	return nil
}

func (run *run) judge() error {
	switch result := porcupine.CheckOperationsTimeout(model, run.history, judgement); result {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf("no judgement within %v", judgement)
	default:
		return fmt.Errorf("NOT LINEARIZABLE: no order of the %d operations explains what the clients saw", len(run.history))
	}
}
