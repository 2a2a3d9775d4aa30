package main_test

import (
	"strings"
	"time"

	chatemu "chatexport/internal/emulator/chat"
	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/layout"
)

// trouble is a kind of fault, and in how many of a thousand calls it happens.
type trouble[F any] struct {
	name     string
	perMille int
	fault    F
}

func choose[F any](s *soak, service string, troubles []trouble[F]) *F {
	for i := range troubles {
		if s.roll(troubles[i].perMille, service+": "+troubles[i].name) {
			return &troubles[i].fault
		}
	}
	return nil
}

func chatTroubles() []trouble[chatemu.Fault] {
	return []trouble[chatemu.Fault]{
		{"throttled", 5, chatemu.Fault{ErrorCode: 60007}},
		{"internal error", 4, chatemu.Fault{ErrorCode: 10002}},
		{"signature refused", 1, chatemu.Fault{ErrorCode: 70052}},
		{"HTML page", 3, chatemu.Fault{Status: 502}},
		{"JSON cut", 3, chatemu.Fault{TruncateBody: true}},
		{"body cut", 3, chatemu.Fault{BreakBody: true}},
		{"reset before", 3, chatemu.Fault{ResetBefore: true}},
		{"reset after", 3, chatemu.Fault{ResetAfter: true}},
		{"slow", 5, chatemu.Fault{Delay: 400 * time.Millisecond}},
		{"hang", 1, chatemu.Fault{Hang: true}},
	}
}

func cosTroubles() []trouble[cosemu.Fault] {
	return []trouble[cosemu.Fault]{
		{"503 early", 5, cosemu.Fault{Status: 503, Code: "SlowDown", Early: true}},
		{"503 late", 5, cosemu.Fault{Status: 503, Code: "ServiceUnavailable"}},
		{"500 though done", 5, cosemu.Fault{Status: 500, Code: "InternalError", AfterWork: true}},
		{"reset", 5, cosemu.Fault{Reset: true, ResetAfter: 50}},
		{"answer lost", 8, cosemu.Fault{LoseAnswer: true}},
		{"slow", 10, cosemu.Fault{Delay: 300 * time.Millisecond}},
		{"hang", 1, cosemu.Fault{Hang: true}},
	}
}

func putTroubles() []trouble[cosemu.Fault] {
	return []trouble[cosemu.Fault]{
		{"wrong CRC64", 5, cosemu.Fault{WrongCRC: true}},
		{"no CRC64", 5, cosemu.Fault{NoCRC: true}},
		{"409 PathConflict", 5, cosemu.Fault{Status: 409, Code: "PathConflict"}},
		{"400 BadDigest", 5, cosemu.Fault{Status: 400, Code: "BadDigest"}},
		{"disk full", 3, cosemu.Fault{DiskFull: true}},
	}
}

func getTroubles() []trouble[cosemu.Fault] {
	return []trouble[cosemu.Fault]{
		{"body cut", 5, cosemu.Fault{Truncate: true}},
		{"body damaged", 5, cosemu.Fault{Damage: true}},
	}
}

func cloudTroubles() []trouble[cloudemu.Fault] {
	return []trouble[cloudemu.Fault]{
		{"answer lost", 20, cloudemu.Fault{Lose: true}},
		{"delivered twice", 30, cloudemu.Fault{Duplicate: true}},
		{"InternalError", 20, cloudemu.Fault{Code: "InternalError"}},
		{"RequestLimitExceeded", 20, cloudemu.Fault{Code: "RequestLimitExceeded"}},
		{"FunctionStatusError", 20, cloudemu.Fault{Code: "FailedOperation.FunctionStatusError"}},
		{"UnauthorizedOperation", 5, cloudemu.Fault{Code: "UnauthorizedOperation"}},
		{"HTML page", 10, cloudemu.Fault{HTML: true}},
		{"reset", 20, cloudemu.Fault{Reset: true}},
		{"hang", 5, cloudemu.Fault{Hang: true}},
	}
}

func (s *soak) cosFault(r *cosemu.Request) *cosemu.Fault {
	if f := choose(s, "COS", cosTroubles()); f != nil {
		return f
	}
	switch r.Op {
	case cosemu.OpPut:
		return choose(s, "COS PUT", putTroubles())
	case cosemu.OpGet:
		if strings.HasPrefix(r.Key, layout.StatePrefix) && s.roll(20, "COS GET: stale state") {
			return &cosemu.Fault{Stale: true}
		}
		return choose(s, "COS GET", getTroubles())
	case cosemu.OpHead:
		if s.roll(10, "COS HEAD: stale") {
			return &cosemu.Fault{Stale: true}
		}
	default:
	}
	return nil
}
