package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/chatapi"
	"chatexport/internal/retry"
)

// refusedError is a failure with a code, as the adapter has them.
type refusedError struct {
	class     retry.Class
	code      string
	condition error
}

func (e refusedError) Error() string           { return "refused with " + e.code }
func (e refusedError) ErrorCode() string       { return e.code }
func (e refusedError) RetryClass() retry.Class { return e.class }
func (e refusedError) Unwrap() error           { return e.condition }

// listing is a directory of groups that each answer after 20 ms. Functions that are nil never fail.
type listing struct {
	ids    func(kind string) ([]string, error)
	info   func(ctx context.Context, ids []string) error
	topics func(ctx context.Context, id string) error
}

func (d listing) GroupIDs(_ context.Context, _ uint64, _ int, kind string) ([]string, uint64, error) {
	time.Sleep(20 * time.Millisecond)
	ids, err := d.ids(kind)
	return ids, 0, err
}

func (d listing) GroupInfos(ctx context.Context, ids []string) ([]chat.Facts, error) {
	time.Sleep(20 * time.Millisecond)
	if d.info != nil {
		if err := d.info(ctx, ids); err != nil {
			return nil, err
		}
	}
	groups := make([]chat.Facts, len(ids))
	for n, id := range ids {
		groups[n] = chat.Facts{Stream: chat.Stream{GroupID: id}, Type: "Public", NextSeq: 5}
		if strings.HasPrefix(id, "@TGS#_") {
			groups[n].Type = "Community"
		}
	}
	return groups, nil
}

func (d listing) Topics(ctx context.Context, id string) ([]chat.Facts, error) {
	time.Sleep(20 * time.Millisecond)
	if d.topics != nil {
		if err := d.topics(ctx, id); err != nil {
			return nil, err
		}
	}
	return []chat.Facts{{Stream: chat.Stream{GroupID: id, TopicID: "t"}, NextSeq: 5}}, nil
}

// groups returns 3 communities among n groups.
func someGroups(n int) func(string) ([]string, error) {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("g%04d", i)
		if i%(1+n/3) == 0 {
			ids[i] = fmt.Sprintf("@TGS#_%04d", i)
		}
	}
	return func(string) ([]string, error) { return ids, nil }
}

// scanned does batches of a listing until everything is listed, as a sweep does, and returns what was seen.
func scanned(t *testing.T, d Directory, spec Spec, limit time.Duration) (*visit, error) {
	t.Helper()
	v := &visit{spec: spec, log: zerolog.Nop()}
	v.Sweeper = &Sweeper{
		Directory: d, Caller: chatapi.NewCaller(retry.NewLimiter(50)), ListPace: retry.NewLimiter(ListQPS), Settings: Settings{Concurrency: 16},
	}
	for batch := 0; !v.place.Done; batch++ {
		if batch == 100 {
			t.Fatal("the listing does not end")
		}
		v.start = time.Now()
		v.Deadline = v.start.Add(limit)
		s := v.scan()
		ctx, cancel := context.WithDeadline(t.Context(), v.Deadline.Add(-limit/20))
		err := s.run(ctx)
		cancel()
		if len(s.groups) == 0 && (err != nil || s.place == v.place) {
			return v, errors.Join(errNoProgress, err)
		}
		v.groups, v.unlisted, v.place = append(v.groups, s.groups...), s.unlisted, s.place
	}
	return v, nil
}

// hang waits as long as the caller does, like the client, whose error says no more than that.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return refusedError{retry.Permanent, "network", ctx.Err()}
}

func TestACallThatFailsStopsNobodyElse(t *testing.T) {
	t.Parallel()
	failures := map[string]func(ctx context.Context) error{
		"unknown code": func(context.Context) error { return refusedError{retry.Doubtful, "110099", nil} },
		"transient":    func(context.Context) error { return refusedError{retry.Transient, "60008", nil} },
		"refused":      func(context.Context) error { return refusedError{retry.Permanent, "10007", chat.ErrUnsupported} },
		"hangs":        hang,
		"no code":      func(context.Context) error { return errors.New("cannot be sent") },
	}
	for name, failure := range failures {
		for _, limit := range []time.Duration{2 * time.Second, 60 * time.Second} {
			for _, n := range []int{1, 230} {
				t.Run(fmt.Sprint(name, limit, n), func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						const bad = "@TGS#_0000"
						v, err := scanned(t, listing{ids: someGroups(n), info: func(ctx context.Context, ids []string) error {
							if slices.Contains(ids, bad) {
								return failure(ctx)
							}
							return nil
						}}, Spec{}, limit)
						wantSeen(t, v, err, n, bad, func(g infoLine) bool { return g.Code != "" && g.Text != "" })
						v, err = scanned(t, listing{ids: someGroups(n), topics: func(ctx context.Context, id string) error {
							if id == bad {
								return failure(ctx)
							}
							return nil
						}}, Spec{}, limit)
						wantSeen(t, v, err, n, bad, func(g infoLine) bool { return g.Code == "" && g.TopicsCode != "" })
					})
				})
			}
		}
	}
}

// wantSeen checks that all groups were seen once, and that exactly one of them is marked.
func wantSeen(t *testing.T, v *visit, err error, n int, bad string, marked func(infoLine) bool) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	seen := map[string]bool{}
	for _, g := range v.groups {
		whole := g.Code == "" && g.TopicsCode == "" && (g.Type == "Public" || len(g.Topics) == 1)
		if seen[g.GroupID] || g.GroupID == bad && !marked(g) || g.GroupID != bad && !whole {
			t.Errorf("%+v", g)
		}
		seen[g.GroupID] = true
	}
	if len(seen) != n {
		t.Errorf("%d of %d groups were seen", len(seen), n)
	}
}

func TestTopicsThatAllFailStopNoGroup(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]func(ctx context.Context) error{
		"disabled": func(context.Context) error { return refusedError{retry.Permanent, "60017", nil} }, "hang": hang,
		"throttled": func(context.Context) error { return refusedError{retry.Throttled, "60007", nil} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ids := make([]string, 200)
				for n := range ids {
					ids[n] = fmt.Sprintf("@TGS#_%d", n)
				}
				began := time.Now()
				v, err := scanned(t, listing{
					ids:    func(string) ([]string, error) { return ids, nil },
					topics: func(ctx context.Context, _ string) error { return failure(ctx) },
				}, Spec{}, 60*time.Second)
				if err != nil || len(v.groups) != 200 {
					t.Errorf("%d groups, %v", len(v.groups), err)
				}
				if took := time.Since(began); took > 10*time.Minute {
					t.Errorf("200 calls that fail took %v", took)
				}
			})
		})
	}
}

func TestACommunityWithoutTopicsIsNoFailure(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		none bool
		err  error
		want string
	}{
		{true, refusedError{retry.Permanent, "10007", chat.ErrUnsupported}, ""},
		{false, refusedError{retry.Permanent, "10007", chat.ErrUnsupported}, "10007"},
		{true, refusedError{retry.Doubtful, "110099", nil}, "110099"},
		{false, nil, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := (&visit{
				start: time.Now(), Request: Request{Deadline: time.Now().Add(time.Minute)},
				Sweeper: &Sweeper{Caller: chatapi.NewCaller(retry.NewLimiter(50)), Directory: listing{topics: func(context.Context, string) error { return tc.err }}},
			}).scan()
			line := infoLine{Facts: chat.Facts{Stream: chat.Stream{GroupID: "@TGS#_c"}}}
			if err := s.topics(t.Context(), &line, tc.none); err != nil || line.TopicsCode != tc.want {
				t.Errorf("%+v: code %q, %v", tc, line.TopicsCode, err)
			}
		})
	}
}

func TestWhereEverythingIsRefusedTheListingFails(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"settings":    refusedError{retry.Permanent, "60010", nil},
		"quota":       refusedError{retry.Throttled, "60011", nil},
		"permission":  refusedError{retry.Permanent, "10007", chat.ErrUnsupported},
		"outage":      refusedError{retry.Transient, "http_502", nil},
		"other codes": refusedError{retry.Doubtful, "110099", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var calls atomic.Int64
				v, err := scanned(t, listing{ids: someGroups(5000), info: func(context.Context, []string) error {
					calls.Add(1)
					return failure
				}}, Spec{}, 60*time.Second)
				if !errors.Is(err, failure) || len(v.groups) > 0 {
					t.Errorf("%d groups, %v", len(v.groups), err)
				}
				if n := calls.Load(); n > 300 {
					t.Errorf("%d calls were made although every one was refused", n)
				}
			})
		})
	}
}

func TestATypeThatCannotBeListedStopsNoOther(t *testing.T) {
	t.Parallel()
	all := []string{"ChatRoom", "Community", "Private", "Public"}
	refused := refusedError{retry.Permanent, "11000", chat.ErrUnsupported}
	for _, tc := range []struct {
		name   string
		fails  []string
		err    error
		groups int
		stops  bool
	}{
		{"none", nil, refused, 4, false},
		{"one", []string{"Community"}, refused, 3, false},
		{"the first", []string{"ChatRoom"}, refusedError{retry.Doubtful, "110099", nil}, 3, false},
		{"all but the last", all[:3], refusedError{retry.Transient, "60008", nil}, 1, false},
		{"all", all, refused, 0, true},
		{"by the settings", []string{"Community"}, refusedError{retry.Permanent, "60010", nil}, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v, err := scanned(t, listing{ids: func(kind string) ([]string, error) {
					if slices.Contains(tc.fails, kind) {
						return nil, tc.err
					}
					return []string{"of " + kind}, nil
				}}, Spec{Types: all}, 60*time.Second)
				if len(v.groups) != tc.groups || tc.stops != (err != nil) {
					t.Errorf("%d groups, %v", len(v.groups), err)
				}
				var types []string
				for _, l := range v.unlisted {
					types = append(types, l.Type)
				}
				if diff := cmp.Diff(tc.fails, types); !tc.stops && diff != "" {
					t.Errorf("unlisted (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A call fails as a whole where one of its groups is gone. Where there is no time to find out which, none is taken for it.
func TestWhatSpoilsACallIsNotTakenForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v, err := scanned(t, listing{
			ids: func(string) ([]string, error) {
				time.Sleep(50 * time.Second)
				return someGroups(40)("")
			},
			info: func(_ context.Context, ids []string) error {
				if slices.Contains(ids, "g0007") {
					return refusedError{retry.Permanent, "10010", chat.ErrGone}
				}
				return nil
			},
		}, Spec{}, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		gone := 0
		for i := range v.groups {
			if v.groups[i].Gone {
				gone++
			}
		}
		if gone > 1 || len(v.groups) != 40 {
			t.Errorf("%d of %d groups are taken for gone, and one is", gone, len(v.groups))
		}
	})
}
