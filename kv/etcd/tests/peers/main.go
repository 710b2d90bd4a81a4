// Clients of etcd's own Go library against a server whose address is the first argument: each recipe says what is wrong,
// or nothing.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

type recipe struct {
	name string
	run  func(context.Context, *clientv3.Client) error
}

var recipes = []recipe{
	{"errors are those of the library", knownErrors},
	{"a mutex is held by one", mutex},
	{"an election has one leader at a time", election},
	{"transactions in memory are serializable", stm},
	{"a watch sees history, then what happens", watch},
	{"progress can be asked for", progress},
	{"a stream of a range is the range", rangeStream},
	{"a lease lives while it is kept alive", lease},
}

func main() {
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{os.Args[1]}, DialTimeout: 5 * time.Second})
	if err != nil {
		fmt.Println("cannot connect:", err)
		os.Exit(1)
	}
	defer client.Close()
	wrong := false
	for _, recipe := range recipes {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		if err := recipe.run(ctx, client); err != nil {
			fmt.Printf("%s: %v\n", recipe.name, err)
			wrong = true
		}
		cancel()
	}
	if wrong {
		os.Exit(1)
	}
}

func knownErrors(ctx context.Context, client *clientv3.Client) error {
	if _, err := client.Put(ctx, "", "v"); !errors.Is(err, rpctypes.ErrEmptyKey) {
		return fmt.Errorf("no key: %v", err)
	}
	if _, err := client.Put(ctx, "k", "v", clientv3.WithLease(12345)); !errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return fmt.Errorf("no lease: %v", err)
	}
	if _, err := client.Get(ctx, "k", clientv3.WithRev(1<<40)); !errors.Is(err, rpctypes.ErrFutureRev) {
		return fmt.Errorf("the future: %v", err)
	}
	twice := client.Txn(ctx).Then(clientv3.OpPut("k", "1"), clientv3.OpPut("k", "2"))
	if _, err := twice.Commit(); !errors.Is(err, rpctypes.ErrDuplicateKey) {
		return fmt.Errorf("a key twice: %v", err)
	}
	return nil
}

// Goroutines that add to a number which only the mutex guards.
func mutex(ctx context.Context, client *clientv3.Client) error {
	const holders, rounds = 5, 4
	total, failed := 0, make(chan error, holders)
	for range holders {
		go func() {
			session, err := concurrency.NewSession(client, concurrency.WithTTL(20))
			if err != nil {
				failed <- err
				return
			}
			defer session.Close()
			for range rounds {
				mutex := concurrency.NewMutex(session, "recipes/mutex")
				if err := mutex.Lock(ctx); err != nil {
					failed <- err
					return
				}
				seen := total
				time.Sleep(time.Millisecond)
				total = seen + 1
				if err := mutex.Unlock(ctx); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
	}
	for range holders {
		if err := <-failed; err != nil {
			return err
		}
	}
	if total != holders*rounds {
		return fmt.Errorf("%d of %d", total, holders*rounds)
	}
	return nil
}

func election(ctx context.Context, client *clientv3.Client) error {
	for _, name := range []string{"first", "second"} {
		session, err := concurrency.NewSession(client, concurrency.WithTTL(20))
		if err != nil {
			return err
		}
		election := concurrency.NewElection(session, "recipes/election")
		if err := election.Campaign(ctx, name); err != nil {
			return err
		}
		leader, err := election.Leader(ctx)
		if err != nil || string(leader.Kvs[0].Value) != name {
			return fmt.Errorf("the leader is %v, not %s: %v", leader, name, err)
		}
		if err := election.Resign(ctx); err != nil {
			return err
		}
		session.Close()
	}
	return nil
}

func stm(ctx context.Context, client *clientv3.Client) error {
	const accounts, start, movers, moves = 5, "100", 4, 10
	for n := range accounts {
		if _, err := client.Put(ctx, fmt.Sprintf("recipes/account/%d", n), start); err != nil {
			return err
		}
	}
	var group sync.WaitGroup
	failed := make(chan error, movers)
	for mover := range movers {
		group.Go(func() {
			for move := range moves {
				from, to := fmt.Sprintf("recipes/account/%d", (mover+move)%accounts), fmt.Sprintf("recipes/account/%d", (mover*move+1)%accounts)
				if from == to {
					continue
				}
				_, err := concurrency.NewSTM(client, func(s concurrency.STM) error {
					var a, b int
					fmt.Sscan(s.Get(from), &a)
					fmt.Sscan(s.Get(to), &b)
					s.Put(from, fmt.Sprint(a-7))
					s.Put(to, fmt.Sprint(b+7))
					return nil
				}, concurrency.WithAbortContext(ctx))
				if err != nil {
					failed <- err
					return
				}
			}
		})
	}
	group.Wait()
	close(failed)
	if err := <-failed; err != nil {
		return err
	}
	all, err := client.Get(ctx, "recipes/account/", clientv3.WithPrefix())
	if err != nil {
		return err
	}
	sum := 0
	for _, kv := range all.Kvs {
		var balance int
		fmt.Sscan(string(kv.Value), &balance)
		sum += balance
	}
	if sum != accounts*100 {
		return fmt.Errorf("the accounts hold %d", sum)
	}
	return nil
}

func watch(ctx context.Context, client *clientv3.Client) error {
	const before, after = 1500, 50
	first, err := client.Put(ctx, "recipes/watched", "0")
	if err != nil {
		return err
	}
	for n := 1; n < before; n++ {
		if _, err := client.Put(ctx, "recipes/watched", fmt.Sprint(n)); err != nil {
			return err
		}
	}
	changes := client.Watch(ctx, "recipes/watched", clientv3.WithRev(first.Header.Revision), clientv3.WithPrevKV(), clientv3.WithFragment())
	go func() {
		for n := before; n < before+after; n++ {
			client.Put(ctx, "recipes/watched", fmt.Sprint(n))
		}
		client.Delete(ctx, "recipes/watched")
	}()
	next := 0
	for response := range changes {
		if response.Err() != nil {
			return response.Err()
		}
		for _, event := range response.Events {
			if event.Type == mvccpb.Event_DELETE {
				if next != before+after || string(event.PrevKv.Value) != fmt.Sprint(next-1) {
					return fmt.Errorf("deleted after %d, which was %v", next, event.PrevKv)
				}
				return nil
			}
			if string(event.Kv.Value) != fmt.Sprint(next) || (next > 0 && string(event.PrevKv.Value) != fmt.Sprint(next-1)) {
				return fmt.Errorf("%v instead of %d", event, next)
			}
			next++
		}
	}
	return errors.New("the watch has ended")
}

func progress(ctx context.Context, client *clientv3.Client) error {
	changes := client.Watch(clientv3.WithRequireLeader(ctx), "recipes/quiet", clientv3.WithCreatedNotify())
	<-changes
	put, err := client.Put(ctx, "recipes/other", "v")
	if err != nil {
		return err
	}
	for {
		if err := client.RequestProgress(clientv3.WithRequireLeader(ctx)); err != nil {
			return err
		}
		select {
		case response := <-changes:
			if !response.IsProgressNotify() {
				return fmt.Errorf("no progress: %v", response)
			}
			if response.Header.Revision >= put.Header.Revision {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func lease(ctx context.Context, client *clientv3.Client) error {
	granted, err := client.Grant(ctx, 2)
	if err != nil {
		return err
	}
	if _, err := client.Put(ctx, "recipes/leased", "v", clientv3.WithLease(granted.ID)); err != nil {
		return err
	}
	alive, stop := context.WithCancel(ctx)
	defer stop()
	answers, err := client.KeepAlive(alive, granted.ID)
	if err != nil {
		return err
	}
	go func() {
		for range answers {
		}
	}()
	time.Sleep(4 * time.Second)
	if kept, err := client.Get(ctx, "recipes/leased"); err != nil || kept.Count != 1 {
		return fmt.Errorf("it is gone though it was kept alive: %v", err)
	}
	stop()
	for {
		left, err := client.Get(ctx, "recipes/leased")
		if err != nil {
			return err
		}
		if left.Count == 0 {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
}
