package invocation_test

import (
	"net/http"
	"strings"
	"time"

	"chatexport/internal/chat"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
	"chatexport/internal/invocation"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// onChunk puts a fault before the writing of chunks.
func onChunk(f cosemu.Fault) func(*cosemu.Request) *cosemu.Fault {
	return onCOS(cosemu.OpPut, "data/", f)
}

// onCOS puts a fault before requests of a kind for keys that begin so.
func onCOS(op cosemu.Op, prefix string, f cosemu.Fault) func(*cosemu.Request) *cosemu.Fault {
	return func(r *cosemu.Request) *cosemu.Fault {
		if r.Op == op && strings.HasPrefix(r.Key, prefix) {
			return &f
		}
		return nil
	}
}

func onGenesis(f cosemu.Fault) func(*cosemu.Request) *cosemu.Fault {
	return func(r *cosemu.Request) *cosemu.Fault {
		if r.Op == cosemu.OpGet && strings.HasSuffix(r.Key, "genesis.json") {
			return &f
		}
		return nil
	}
}

func cosFaults() []faultCase {
	refusal := func(status int, code string) cosemu.Fault { return cosemu.Fault{Status: status, Code: code} }
	return append([]faultCase{
		{
			name: "503 SlowDown before the chunk was read, once", times: 1,
			cos:   onChunk(cosemu.Fault{Status: 503, Code: "SlowDown", Early: true}),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "503 ServiceUnavailable after the chunk was read, twice", times: 2, cos: onChunk(refusal(503, "ServiceUnavailable")),
			tried: 2, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "503 SlowDown for every chunk", cos: onChunk(refusal(503, "SlowDown")),
			tried: 5, outcome: "error", reads: "status 503, code SlowDown", status: "running", code: "SlowDown", then: byRedelivery,
		}, {
			name: "connection reset in the middle of the chunk, once", times: 1, cos: onChunk(cosemu.Fault{Reset: true, ResetAfter: 100}),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "connection reset for every chunk", cos: onChunk(cosemu.Fault{Reset: true}),
			tried: 5, outcome: "error", reads: "no answer, attempts 5", status: "running", code: "network", then: byRedelivery,
		}, {
			name: "the answer to a stored chunk is lost", times: 1, cos: onChunk(cosemu.Fault{LoseAnswer: true}),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "500 although the chunk was stored", times: 1, cos: onChunk(cosemu.Fault{Status: 500, Code: "InternalError", AfterWork: true}),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "the answer has another CRC64 than the chunk", times: 1, cos: onChunk(cosemu.Fault{WrongCRC: true}),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "the answer has no CRC64", times: 1, cos: onChunk(cosemu.Fault{NoCRC: true}),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "the chunk is stored with a wrong byte", times: 1, cos: onChunk(cosemu.Fault{Damage: true}),
			tried: 1, outcome: "damaged", reads: "is not what was written", status: "damaged", code: "chunk_corrupt", then: never,
		}, {
			name: "400 BadDigest, once", times: 1, cos: onChunk(refusal(400, "BadDigest")),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "400 BadDigest for every chunk", cos: onChunk(refusal(400, "BadDigest")),
			tried: 5, outcome: "error", reads: "checksum does not match", status: "running", code: "BadDigest", then: byRedelivery,
		}, {
			name: "400 RequestTimeout, once", times: 1, cos: onChunk(refusal(400, "RequestTimeout")),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "409 PathConflict, once", times: 1, cos: onChunk(refusal(409, "PathConflict")),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "the disk is full: 500 InternalError for every chunk", cos: onChunk(cosemu.Fault{DiskFull: true}),
			tried: 5, outcome: "error", reads: "status 500, code InternalError", status: "running", code: "InternalError", then: byRedelivery,
		}, {
			name: "a PUT that is never answered, once", times: 1, cos: onChunk(cosemu.Fault{Hang: true}),
			tried: 1, outcome: "continued", status: "running", then: byItself, // 20 s are gone when it is given up
		},
	}, append(cosRefusals(), cosReads()...)...)
}

// cosRefusals are what an operator has to mend, and credentials.
func cosRefusals() []faultCase {
	return []faultCase{
		{
			name: "403 AccessDenied for every chunk", cos: onChunk(cosemu.Fault{Status: 403, Code: "AccessDenied"}),
			tried: 1, outcome: "error", reads: "access to the object store was denied", status: "running", code: "AccessDenied", then: byRedelivery,
		}, {
			name: "403 RequestTimeTooSkewed for every chunk", cos: onChunk(cosemu.Fault{Status: 403, Code: "RequestTimeTooSkewed"}),
			tried: 1, outcome: "error", reads: "clock", status: "running", code: "RequestTimeTooSkewed", then: byRedelivery,
		}, {
			name: "404 NoSuchBucket for every chunk", cos: onChunk(cosemu.Fault{Status: 404, Code: "NoSuchBucket"}),
			tried: 1, outcome: "error", reads: "bucket does not exist", status: "running", code: "NoSuchBucket", then: byRedelivery,
		}, {
			name: "the bucket does not exist", times: 0,
			cos: func(*cosemu.Request) *cosemu.Fault {
				return &cosemu.Fault{Status: http.StatusNotFound, Code: "NoSuchBucket"}
			},
			tried: 1, outcome: "error", reads: "check COS_BUCKET (name-appid) and COS_REGION", then: byRedelivery,
		}, {
			name:  "versioning is enabled on the bucket while a run goes on",
			cos:   func(*cosemu.Request) *cosemu.Fault { return nil },
			setup: func(s *site) { s.versionAtFirstChunk() },
			tried: 0, outcome: "failed", reads: "versioning was enabled on the bucket", status: "failed", code: "versioned_bucket", then: never,
		}, {
			name: "the token expires within an invocation",
			cos:  onChunk(cosemu.Fault{Status: 400, Code: "ExpiredToken"}),
			mend: func(s *site) { s.rotate() },
			// The platform gives a process new credentials with the next invocation only.
			tried: 1, outcome: "error", reads: "ExpiredToken", status: "running", code: "ExpiredToken", then: byRedelivery,
		}, {
			name: "the credentials change between invocations", hops: true,
			setup: func(s *site) { s.platform = func(*invocation.Platform) { s.rotate() } },
			tried: 0, outcome: "continued", status: "running", then: byItself,
		}, {
			name: "no credentials", setup: func(s *site) { s.Env["TENCENTCLOUD_SECRETID"] = "" },
			mend:  func(s *site) { s.rotate() },
			tried: 0, outcome: "error", reads: "TENCENTCLOUD_SECRETID", then: byRedelivery,
		},
	}
}

// cosReads are faults of reads.
func cosReads() []faultCase {
	return []faultCase{
		{
			name: "reads of genesis answer 503", cos: onGenesis(cosemu.Fault{Status: 503, Code: "SlowDown"}),
			tried: 5, outcome: "error", reads: "read genesis", status: "running", code: "SlowDown", then: byRedelivery,
		}, {
			name: "reads of state answer 403", cos: onCOS(cosemu.OpGet, "state/", cosemu.Fault{Status: 403, Code: "AccessDenied"}),
			tried: 1, outcome: "error", reads: "read state", then: byRedelivery,
		}, {
			name: "writes of state are refused: 403", cos: onCOS(cosemu.OpPut, "state/", cosemu.Fault{Status: 403, Code: "AccessDenied"}),
			tried: 2, outcome: "error", reads: "take lease", then: byRedelivery,
		}, {
			name: "a HEAD of the last chunk answers 404, twice", times: 2, setup: exportedAndGrown,
			cos:   onCOS(cosemu.OpHead, "data/gid=.40TGS.23fault/tid=-/0000000081", cosemu.Fault{Stale: true}),
			tried: 2, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "a HEAD of the last chunk answers 404, always", setup: exportedAndGrown,
			cos:   onCOS(cosemu.OpHead, "data/gid=.40TGS.23fault/tid=-/0000000081", cosemu.Fault{Stale: true}),
			tried: 4, outcome: "damaged", reads: "nothing was overwritten", status: "damaged", code: "chunk_missing", then: byTick,
		}, {
			name: "a HEAD of the last chunk has no CRC64, once", times: 1, setup: exportedAndGrown,
			cos:   onCOS(cosemu.OpHead, "data/gid=.40TGS.23fault/tid=-/0000000081", cosemu.Fault{NoCRC: true}),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "a HEAD of the last chunk has no CRC64, always", setup: exportedAndGrown,
			cos:   onCOS(cosemu.OpHead, "data/gid=.40TGS.23fault/tid=-/0000000081", cosemu.Fault{NoCRC: true}),
			tried: 5, outcome: "error", reads: "the answer has no checksum", status: "complete", code: "checksum", then: byRedelivery,
		}, {
			name: "a manifest is refused: 503, always", cos: onCOS(cosemu.OpPut, "manifest/gid=.40TGS.23fault/tid=-/00", cosemu.Fault{Status: 503, Code: "SlowDown"}),
			tried: 5, outcome: "error", reads: "write manifest", status: "running", code: "SlowDown", then: byRedelivery,
		}, {
			name: "the answer to a manifest is lost", times: 1, cos: onCOS(cosemu.OpPut, "manifest/gid=.40TGS.23fault/tid=-/00", cosemu.Fault{LoseAnswer: true}),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "a read of state shows an old one", times: 1, setup: exportedAndGrown,
			cos:   onCOS(cosemu.OpGet, "state/", cosemu.Fault{Stale: true}),
			tried: 1, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "state cannot be read as state", setup: func(s *site) { exportedAndGrown(s); s.loseState() },
			tried: 0, outcome: "complete", reads: "state is unreadable and ignored", status: "complete", then: byItself,
		}, {
			name: "every HEAD takes 5 s", cos: onCOS(cosemu.OpHead, "", cosemu.Fault{Delay: 5 * time.Second}), setup: exportedAndGrown,
			tried: 2, outcome: "complete", status: "complete", then: byItself,
		}, {
			name: "every request takes 1 s", cos: func(*cosemu.Request) *cosemu.Fault { return &cosemu.Fault{Delay: time.Second} },
			tried: 11, outcome: "complete", status: "complete", then: byItself,
		},
	}
}

// versionAtFirstChunk switches versioning on when the first chunk arrives.
func (s *site) versionAtFirstChunk() {
	s.COS.SetFault(func(r *cosemu.Request) *cosemu.Fault {
		if r.Op == cosemu.OpPut && strings.HasPrefix(r.Key, "data/") {
			must(s.t, s.COS.SetVersioning(world.Bucket, cosemu.VersioningEnabled))
		}
		return nil
	})
}

// exportedAndGrown does a run before the fault comes, after which there is something new.
func exportedAndGrown(s *site) {
	stream := chat.Stream{GroupID: "@TGS#fault"}
	s.tick(stream)
	must(s.t, s.sound(stream))
	must(s.t, s.Chat.Append(stream, old(10)...))
	time.Sleep(time.Hour)
}

// loseState overwrites the state with what is none.
func (s *site) loseState() {
	_, err := s.Store.Overwrite(s.t.Context(), layout.State(chat.Stream{GroupID: "@TGS#fault"}), objstore.Write{Body: []byte("?")})
	must(s.t, err)
}
