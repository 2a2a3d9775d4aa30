package chatemu

import (
	"sync"
	"time"
)

// limiter holds the quota of each command: the service counts calls per app and command.
type limiter struct {
	mu       sync.Mutex
	opts     *Options
	commands map[string]*quota
}

// quota is a token bucket, or in strict mode the times of the calls of the last second.
type quota struct {
	rate, depth float64
	code        int
	strict      bool

	tokens float64
	last   time.Time
	times  []time.Time
}

func (l *limiter) init(opts *Options) {
	l.opts, l.commands = opts, make(map[string]*quota)
}

// take counts a call and returns 0 or the code to answer.
func (l *limiter) take(command string, now time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	q, ok := l.commands[command]
	if !ok {
		q = l.quota(command)
		q.last = now
		l.commands[command] = q
	}
	if q.rate <= 0 || q.take(now) {
		return 0
	}
	return q.code
}

func (l *limiter) quota(command string) *quota {
	if command == commandGroupList {
		rate := l.opts.ListQPS
		if rate == 0 {
			rate = 1 // Chat documentation of get_appid_group_list
		}
		return &quota{rate: float64(rate), depth: float64(rate), tokens: float64(rate), code: codeTooOften}
	}
	code, depth := l.opts.ThrottleCode, l.opts.QPSBurst
	if code == 0 {
		code = codeThrottled
	}
	if depth == 0 {
		depth = l.opts.QPS
	}
	return &quota{rate: float64(l.opts.QPS), depth: float64(depth), tokens: float64(depth), code: code, strict: l.opts.QPSStrict}
}

func (q *quota) take(now time.Time) bool {
	if q.strict {
		return q.takeStrict(now)
	}
	q.tokens = min(q.depth, q.tokens+q.rate*now.Sub(q.last).Seconds())
	q.last = now
	if q.tokens < 1 {
		return false
	}
	q.tokens--
	return true
}

// takeStrict counts refused calls, too: a client that does not slow down is never served again. Only as many calls
// as the rate are remembered; more make no difference.
func (q *quota) takeStrict(now time.Time) bool {
	gone := 0
	for gone < len(q.times) && now.Sub(q.times[gone]) >= time.Second {
		gone++
	}
	q.times = append(q.times[:0], q.times[gone:]...)
	allowed := len(q.times) < int(q.rate)
	if !allowed {
		q.times = append(q.times[:0], q.times[1:]...)
	}
	q.times = append(q.times, now)
	return allowed
}
