package chatemu_test

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	chatemu "chatexport/internal/emulator/chat"
)

func TestQuota_IsATokenBucketForEachCommand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := options()
		opts.QPS, opts.QPSBurst = 10, 3
		s := chatemu.New(opts)
		plain(t, s, 1)
		c := memory(t, s)
		served := func(calls int) (n int) {
			for range calls {
				if c.page(-1, 1).ErrorCode == 0 {
					n++
				}
			}
			return n
		}
		if n := served(3); n != 3 {
			t.Fatalf("%d calls of the burst were served, want 3", n)
		}
		if a := c.page(-1, 1); a.ErrorCode != 60007 {
			t.Fatalf("call above the burst: %s, want 60007", a.Raw)
		}
		if a := c.call("/v4/group_open_http_svc/get_group_info", `{"GroupIdList":["g"]}`); a.ErrorCode != 0 {
			t.Errorf("another command shares the quota: %s", a.Raw)
		}
		time.Sleep(100 * time.Millisecond)
		if n := served(4); n != 1 {
			t.Errorf("a tenth of a second gave %d calls, want 1", n)
		}
		time.Sleep(time.Hour)
		if n := served(4); n != 3 {
			t.Errorf("the bucket held %d calls, want 3", n)
		}
		if n := s.Counters().Throttled; n != 1+3+1 {
			t.Errorf("Throttled = %d, want 5", n)
		}
	})
}

func TestQuota_StrictCountsRefusedCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := options()
		opts.QPS, opts.QPSStrict, opts.ThrottleCode = 2, true, 60019
		s := chatemu.New(opts)
		plain(t, s, 1)
		c := memory(t, s)
		want := func(code int) {
			t.Helper()
			if a := c.page(-1, 1); a.ErrorCode != code {
				t.Errorf("answer %s, want code %d", a.Raw, code)
			}
		}
		want(0)
		want(0)
		want(60019)
		time.Sleep(900 * time.Millisecond)
		want(60019)
		time.Sleep(100 * time.Millisecond)
		want(0) // one of the calls in the last second is the refused one
		want(60019)
		time.Sleep(time.Second)
		want(0)
		want(0)
	})
}

func TestQuota_ListOfGroupsMayBeAskedOnceASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := chatemu.New(options())
		c := memory(t, s)
		list := func() int { return c.call("/v4/group_open_http_svc/get_appid_group_list", `{}`).ErrorCode }
		if a, b := list(), list(); a != 0 || b != 10006 {
			t.Errorf("codes %d, %d, want 0, 10006", a, b)
		}
		time.Sleep(time.Second)
		if a := list(); a != 0 {
			t.Errorf("a second later: %d", a)
		}
	})
}

func TestCounters_OfLatencyAndParallelCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts := options()
		opts.Latency = 60 * time.Millisecond
		s := chatemu.New(opts)
		plain(t, s, 1)
		c := memory(t, s)
		begin := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { c.page(-1, 1) })
		}
		wg.Wait()
		if d := time.Since(begin); d != opts.Latency {
			t.Errorf("five parallel calls took %v", d)
		}
		n := s.Counters()
		if n.MaxParallel != 5 || n.Calls != 5 || n.MaxSecond != 5 || n.Seconds[begin.Unix()] != 5 || n.Messages != 5 ||
			n.Codes[0] != 5 || n.Commands["group_msg_get_simple"] != 5 || n.Statuses[http.StatusOK] != 5 {
			t.Errorf("counters %+v", n)
		}
	})
}

func TestCounters_StayButTheLogIsBounded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ keep, want, first int }{{0, 256, 45}, {3, 3, 298}, {-1, 300, 1}} {
		opts := options()
		opts.KeepCalls = tt.keep
		s := chatemu.New(opts)
		plain(t, s, 1)
		c := memory(t, s)
		for range 300 {
			c.page(-1, 1)
		}
		calls := s.Calls()
		if len(calls) != tt.want || calls[0].N != tt.first || calls[len(calls)-1].N != 300 || s.Counters().Calls != 300 {
			t.Errorf("KeepCalls %d: %d calls kept, first %d", tt.keep, len(calls), calls[0].N)
		}
	}
}
