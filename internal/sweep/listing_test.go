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
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
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

// faulty is a directory of groups that each answer after 20 ms. Functions that are nil never fail.
type faulty struct {
	ids    func(kind string) ([]string, error)
	info   func(ctx context.Context, ids []string) error
	topics func(ctx context.Context, id string) error

	noTopics bool // so says a community
}

func (d faulty) GroupIDs(_ context.Context, _ uint64, _ int, kind string) ([]string, uint64, error) {
	time.Sleep(20 * time.Millisecond)
	ids, err := d.ids(kind)
	return ids, 0, err
}

func (d faulty) GroupInfos(ctx context.Context, ids []string) ([]chat.Facts, error) {
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
			groups[n].Type, groups[n].NoTopics = community, d.noTopics
		}
	}
	return groups, nil
}

func (d faulty) Topics(ctx context.Context, id string) ([]chat.Facts, error) {
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

// listAll does batches of a listing until everything is listed, and returns what the parts tell.
func listAll(t *testing.T, d Directory, spec Spec, limit time.Duration) (*found, error) {
	t.Helper()
	store := memstore.New(memstore.Options{}).View("sweep", nil)
	s := &Sweeper{
		Directory: d, Store: store, Caller: chatapi.NewCaller(retry.NewLimiter(50)), ListPace: retry.NewLimiter(ListQPS),
		Settings: Settings{Concurrency: 16}, Publisher: nobody{}, Writes: new(objstore.WriteTimes),
	}
	found := &found{}
	var failure error
	for batch := 0; failure == nil; batch++ {
		if batch == 100 {
			t.Fatal("the listing does not end")
		}
		v := &survey{stint: s.stint(spec, baseID, Request{Deadline: time.Now().Add(limit), Log: zerolog.Nop()}), seen: newSnapshot()}
		if err := v.resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		for !v.place.Done && !v.over() && failure == nil {
			failure = v.listPart(t.Context())
		}
		if v.place.Done {
			found.unlisted = v.seen.unlisted
			break
		}
	}
	for part := 0; ; part++ {
		body, _, err := store.Get(t.Context(), layout.SweepInfo(baseID, part))
		if err != nil {
			return found, failure
		}
		_, others, err := openLines[sightLine](body)
		if err != nil {
			t.Fatal(err)
		}
		for g, err := range others {
			if err != nil {
				t.Fatal(err)
			}
			found.groups = append(found.groups, g)
		}
	}
}

// found is what a listing found.
type found struct {
	groups   []sightLine
	unlisted []Named
}

// nobody takes the continuations of a listing.
type nobody struct{}

func (nobody) ContinueSweep(context.Context, Spec, []byte) error { return nil }

// hang waits as long as the caller does, like the client, whose error says no more than that.
func hang(ctx context.Context) error {
	<-ctx.Done()
	return refusedError{retry.Permanent, "network", ctx.Err()}
}

func TestListing_ACallThatFailsStopsNobodyElse(t *testing.T) {
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
						v, err := listAll(t, faulty{ids: someGroups(n), info: func(ctx context.Context, ids []string) error {
							if slices.Contains(ids, bad) {
								return failure(ctx)
							}
							return nil
						}}, Spec{}, limit)
						wantSeen(t, v, err, n, bad, func(g sightLine) bool { return g.Code != "" && g.Text != "" }, infoPage)
						v, err = listAll(t, faulty{ids: someGroups(n), topics: func(ctx context.Context, id string) error {
							if id == bad {
								return failure(ctx)
							}
							return nil
						}}, Spec{}, limit)
						wantSeen(t, v, err, n, bad, func(g sightLine) bool { return g.Code == "" && g.TopicsCode != "" }, 1)
					})
				})
			}
		}
	}
}

// wantSeen checks that all groups were seen once, and that the bad one is marked, with no more than shared its call.
func wantSeen(t *testing.T, v *found, err error, n int, bad string, marked func(sightLine) bool, shared int) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	found := map[string]bool{}
	marks := 0
	for _, g := range v.groups {
		whole := g.Code == "" && g.TopicsCode == "" && (g.Type == "Public" || len(g.Topics) == 1)
		if marked(g) {
			marks++
		}
		if found[g.GroupID] || g.GroupID == bad && !marked(g) || !marked(g) && !whole {
			t.Errorf("%+v", g)
		}
		found[g.GroupID] = true
	}
	if len(found) != n || marks > shared {
		t.Errorf("%d of %d groups were seen, %d of them are marked", len(found), n, marks)
	}
}

func TestListing_TopicsThatAllFailStopNoGroup(t *testing.T) {
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
				v, err := listAll(t, faulty{
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

func TestListing_ACommunityWithoutTopicsIsNoFailure(t *testing.T) {
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
			v, err := listAll(t, faulty{
				ids: func(string) ([]string, error) { return []string{"@TGS#_c"}, nil }, noTopics: tc.none,
				topics: func(context.Context, string) error { return tc.err },
			}, Spec{}, time.Minute)
			if err != nil || len(v.groups) != 1 || v.groups[0].TopicsCode != tc.want {
				t.Errorf("%+v: %+v, %v", tc, v.groups, err)
			}
		})
	}
}

func TestListing_FailsWhereEverythingIsRefused(t *testing.T) {
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
				v, err := listAll(t, faulty{ids: someGroups(5000), info: func(context.Context, []string) error {
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

func TestListing_ATypeThatCannotBeListedStopsNoOther(t *testing.T) {
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
				v, err := listAll(t, faulty{ids: func(kind string) ([]string, error) {
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

// A call fails as a whole where one of its groups is gone: none is taken for it.
func TestListing_WhatSpoilsACallIsNotTakenForAll(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]bool{1: true, 40: false} {
		synctest.Test(t, func(t *testing.T) {
			v, err := listAll(t, faulty{
				ids:  someGroups(n),
				info: func(context.Context, []string) error { return refusedError{retry.Permanent, "10010", chat.ErrGone} },
			}, Spec{}, time.Minute)
			gone := slices.ContainsFunc(v.groups, func(g sightLine) bool { return g.Gone })
			if err != nil || gone != want || len(v.groups) != n {
				t.Errorf("of %d groups some are taken for gone: %v, %v", len(v.groups), gone, err)
			}
		})
	}
}

// Whoever lists the app for people sees what a sweep would.
func TestStreams_AreThoseThatMayHaveHistory(t *testing.T) {
	t.Parallel()
	inScene(t, func(s *scene) {
		of := func(id, kind string, next chat.Seq) chat.Facts {
			return chat.Facts{Stream: chat.Stream{GroupID: id}, Type: kind, NextSeq: next}
		}
		s.groups = []chat.Facts{
			of("silent", community, 1), of("public", "Public", 3), of("live", "AVChatRoom", 3), of("big", "BChatRoom", 3),
			of("speaks", community, 4),
			{Stream: chat.Stream{GroupID: "gone"}, Err: chat.ErrGone},
		}
		s.topics = map[string][]chat.Facts{
			"silent": {{Stream: chat.Stream{GroupID: "silent", TopicID: "t"}}}, "speaks": {{Stream: chat.Stream{GroupID: "speaks", TopicID: "t"}}},
		}
		for name, groups := range map[string][]string{"app": nil, "groups": {"gone", "public", "silent", "speaks"}} {
			found, err := s.Streams(s.t.Context(), groups...)
			var got []string
			for _, facts := range found {
				got = append(got, facts.String()+" "+fmt.Sprint(facts.Err))
			}
			want := []string{
				"gone " + chat.ErrGone.Error(), "public <nil>", "silent topic t <nil>", "speaks <nil>", "speaks topic t <nil>",
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s (-want +got):\n%s%v", name, diff, err)
			}
		}
	})
}
