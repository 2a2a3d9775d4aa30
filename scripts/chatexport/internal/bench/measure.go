package bench

import (
	"context"
	"time"

	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/panics"
)

// figures are what one measurement came to.
type figures struct {
	Name       string
	Messages   int64
	Calls      int64 // all of the API, refused ones included
	Throttled  int64
	Bytes      int64 // of the chunks
	Elapsed    time.Duration
	CPU        time.Duration // of the whole process
	PeakMemory int64         // largest process
	Requests   map[cosemu.Op]int
	GBSeconds  float64 // memory as configured times duration, as SCF bills
	Batches    int
	Start      time.Duration // of the first process, until it answered
	// Of files, where messages have some.
	Files        int64 // that were stored
	FileBytes    int64
	FileRequests int   // that their host was asked
	Temporary    int64 // the most that was in the temporary folder at once
	Left         int64 // what was in it at the end
	// Steady is the calls a second that were served in full seconds, without the first and the last.
	Steady float64
	// Shares are the messages a second of each group, where several were pulled at once.
	Shares []float64
}

func (f *figures) rate() float64 {
	if f.Elapsed <= 0 {
		return 0
	}
	return float64(f.Messages) / f.Elapsed.Seconds()
}

// cpuPerMessage is in microseconds.
func (f *figures) cpuPerMessage() float64 {
	if f.Messages == 0 {
		return 0
	}
	return float64(f.CPU.Microseconds()) / float64(f.Messages)
}

// excess is the calls made against the fewest possible.
func (f *figures) excess() float64 {
	least := (f.Messages + chat.PageSize - 1) / chat.PageSize
	if least == 0 {
		return 0
	}
	return float64(f.Calls) / float64(least)
}

// measure runs the function until the streams are archived.
func (s *stand) measure(ctx context.Context, name string, streams ...chat.Stream) (figures, error) {
	start, before := time.Now(), s.COS.Counts()
	calls, asked, batches := s.Chat.Counters(), s.Files.Counters().Requests, len(s.batches())
	stop := s.watchTemporary()
	err := s.run(ctx, streams...)
	f := figures{Name: name, Elapsed: time.Since(start), Requests: s.COS.Counts(), Temporary: stop(), Left: s.platform.Temporary()}
	if err != nil {
		return f, err
	}
	for op, n := range before {
		f.Requests[op] -= n
	}
	f.FileRequests = s.Files.Counters().Requests - asked
	cpu := make(map[int]time.Duration) // of each process, at the end of its last invocation
	for _, v := range s.platform.Invocations() {
		cpu[v.Instance] = max(cpu[v.Instance], v.CPUTime)
		f.PeakMemory = max(f.PeakMemory, v.PeakMemory)
		f.GBSeconds += v.Duration.Seconds() * float64(s.Memory) / 1024
		if v.Cold && f.Start == 0 {
			f.Start = v.Start
		}
	}
	for _, d := range cpu {
		f.CPU += d
	}
	for _, b := range s.batches()[batches:] {
		f.Batches++
		f.Messages += b.Messages
		f.Bytes += b.Bytes
		f.Files += b.Files
		f.FileBytes += b.FileBytes
	}
	counters := s.Chat.Counters()
	f.Calls, f.Throttled = int64(counters.Calls-calls.Calls), int64(counters.Throttled-calls.Throttled)
	f.Steady = steady(counters, s.together(start).Unix())
	return f, nil
}

// watchTemporary looks into the temporary folder now and then, until stop is called, which returns the most that was there.
func (s *stand) watchTemporary() (stop func() int64) {
	const period = 10 * time.Millisecond
	quit, most := make(chan struct{}), make(chan int64, 1)
	go func() {
		var top int64
		_ = panics.Caught(func() error { // what was seen before is as good
			ticker := time.NewTicker(period)
			defer ticker.Stop()
			for {
				select {
				case <-quit:
					return nil
				case <-ticker.C:
					top = max(top, s.platform.Temporary())
				}
			}
		})
		most <- top
	}()
	return func() int64 { close(quit); return <-most }
}

// together returns until when every stream was pulled: later the others have the quota to themselves.
func (s *stand) together(start time.Time) time.Time {
	var until time.Time
	for _, v := range s.platform.Invocations() {
		if end := v.Started.Add(v.Duration); end.After(start) && (until.IsZero() || end.Before(until)) {
			until = end
		}
	}
	return until
}

// steady is the mean of the calls in full seconds up to one, without the time in which the pace is found and the end.
func steady(c chatemu.Counters, until int64) float64 {
	const finding, end = 6, 1
	var first int64
	for second := range c.Seconds {
		if first == 0 || second < first {
			first = second
		}
	}
	total, seconds := 0, int64(0)
	for second := first + finding; second < until-end; second++ {
		total += c.Seconds[second]
		seconds++
	}
	if seconds == 0 {
		return 0
	}
	return float64(total) / float64(seconds)
}
