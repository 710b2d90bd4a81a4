// The storage layer of Kubernetes's API server over a server that is killed now and then: objects are created, watched,
// listed in pages and by stream, updated under conflict and deleted, and nothing may be missing.
//
// Arguments: the server's address, and how many objects.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/apis/example"
	examplev1 "k8s.io/apiserver/pkg/apis/example/v1"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/etcd3"
	"k8s.io/apiserver/pkg/storage/value/encrypt/identity"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	"k8s.io/utils/clock"
)

// Requests at a time.
const workers = 20

// What one request may take, with all attempts.
const patience = 60 * time.Second

func main() {
	count, err := strconv.Atoi(os.Args[2])
	check(err)
	check(utilfeature.DefaultMutableFeatureGate.Set("EtcdRangeStream=true"))
	store := open(os.Args[1])
	watched := watch(store)
	phase("created", count, func() { each(count, func(n int) { create(store, n) }) })
	watched.wait(count)
	phase("listed in pages", count, func() { expect(list(store, 500), count) })
	phase("listed by stream", count, func() { expect(list(store, 0), count) })
	phase("updated under conflict", 2*count, func() { conflicts(store, count) })
	phase("deleted", count/2, func() { each(count/2, func(n int) { remove(store, n) }) })
	left := list(store, 500)
	for n := range count {
		if left[name(n)] != (n >= count/2) {
			fail("%s: it is left: %v", name(n), left[name(n)])
		}
	}
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, words ...any) {
	fmt.Printf("WRONG: "+format+"\n", words...)
	os.Exit(1)
}

// Prints how long it took.
func phase(what string, count int, work func()) {
	began := time.Now()
	work()
	seconds := time.Since(began).Seconds()
	fmt.Printf("%s %d in %.1f s, %.0f/s\n", what, count, seconds, float64(count)/seconds)
}

func open(url string) storage.Interface {
	client, err := kubernetes.New(clientv3.Config{Endpoints: []string{url}, DialTimeout: patience})
	check(err)
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, metav1.SchemeGroupVersion)
	check(example.AddToScheme(scheme))
	check(examplev1.AddToScheme(scheme))
	codec := serializer.NewCodecFactory(scheme).LegacyCodec(examplev1.SchemeGroupVersion)
	versioner := storage.APIObjectVersioner{}
	store, err := etcd3.New(client, etcd3.NewCompactor(client.Client, 0, clock.RealClock{}, nil), codec,
		func() runtime.Object { return &example.Pod{} }, func() runtime.Object { return &example.PodList{} },
		"/registry", "/pods/", schema.GroupResource{Resource: "pods"}, identity.NewEncryptCheckTransformer(),
		etcd3.NewDefaultLeaseManagerConfig(), etcd3.NewDefaultDecoder(codec, versioner), versioner)
	check(err)
	return store
}

func name(n int) string { return fmt.Sprintf("pod-%06d", n) }

func key(n int) string { return "/pods/default/" + name(n) }

// Does it for each number, some at a time.
func each(count int, work func(int)) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for n := int(next.Add(1)) - 1; n < count; n = int(next.Add(1)) - 1 {
				work(n)
			}
		})
	}
	group.Wait()
}

// Tries until it succeeds, or fails for a reason that counts as done: an attempt whose answer was lost may have succeeded.
func insist(n int, done func(error) bool, attempt func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		one, cancel := context.WithTimeout(ctx, 5*time.Second)
		err := attempt(one)
		cancel()
		if err == nil || done(err) {
			return
		}
		if ctx.Err() != nil {
			fail("%s: %v", name(n), err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func create(store storage.Interface, n int) {
	pod := &example.Pod{ObjectMeta: metav1.ObjectMeta{Name: name(n), Namespace: "default", Labels: map[string]string{"n": strconv.Itoa(n)}}}
	insist(n, storage.IsExist, func(ctx context.Context) error {
		return store.Create(ctx, key(n), pod.DeepCopy(), &example.Pod{}, 0)
	})
}

func remove(store storage.Interface, n int) {
	insist(n, storage.IsNotFound, func(ctx context.Context) error {
		return store.Delete(ctx, key(n), &example.Pod{}, nil, storage.ValidateAllObjectFunc, nil, storage.DeleteOptions{})
	})
}

// Everything, in pages, or at once for 0.
func list(store storage.Interface, page int64) map[string]bool {
	seen := map[string]bool{}
	predicate := storage.Everything
	predicate.Limit = page
	for {
		pods := &example.PodList{}
		insist(-1, func(error) bool { return false }, func(ctx context.Context) error {
			*pods = example.PodList{}
			return store.GetList(ctx, "/pods/", storage.ListOptions{Predicate: predicate, Recursive: true}, pods)
		})
		for _, pod := range pods.Items {
			if seen[pod.Name] {
				fail("%s is listed twice", pod.Name)
			}
			seen[pod.Name] = true
		}
		predicate.Continue = pods.Continue
		if pods.Continue == "" {
			return seen
		}
	}
}

func expect(seen map[string]bool, count int) {
	if len(seen) != count {
		fail("%d of %d are listed", len(seen), count)
	}
}

// Two at a time add to the same object. What was acknowledged counts once, and what was not at most once.
func conflicts(store storage.Interface, count int) {
	acknowledged, asked := make([]atomic.Int64, count), make([]atomic.Int64, count)
	each(2*count, func(turn int) {
		n := turn / 2
		insist(n, func(error) bool { return false }, func(ctx context.Context) error {
			asked[n].Add(1)
			err := store.GuaranteedUpdate(ctx, key(n), &example.Pod{}, false, nil, storage.SimpleUpdate(func(old runtime.Object) (runtime.Object, error) {
				pod := old.(*example.Pod)
				pod.Status.Message += "x"
				return pod, nil
			}), nil)
			if err == nil {
				acknowledged[n].Add(1)
			}
			return err
		})
	})
	each(count, func(n int) {
		pod := &example.Pod{}
		insist(n, func(error) bool { return false }, func(ctx context.Context) error {
			return store.Get(ctx, key(n), storage.GetOptions{}, pod)
		})
		if updates := int64(len(pod.Status.Message)); updates < acknowledged[n].Load() || updates > asked[n].Load() {
			fail("%s: %d updates are in it, %d were acknowledged and %d asked for", name(n), updates, acknowledged[n].Load(), asked[n].Load())
		}
	})
}
