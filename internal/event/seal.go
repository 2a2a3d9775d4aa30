package event

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
)

// Seal tells what the function told itself from what anybody else may have put into a queue: a MAC over what a task
// continues, which stream or sweep that is, and which archive. It must be made by NewSeal.
type Seal struct {
	sum func(Task) []byte // a closure, so that the key is in no field that could be printed
}

// NewSeal returns the seal of the archive below prefix in bucket. secret is the app's key, which the MAC's is derived from.
func NewSeal(secret, bucket, prefix string) Seal {
	derive := hmac.New(sha256.New, []byte(secret))
	derive.Write([]byte("chatexport task 1"))
	key := derive.Sum(nil)
	return Seal{sum: func(t Task) []byte {
		mac := hmac.New(sha256.New, key)
		for _, part := range []string{bucket, prefix, t.GroupID, t.TopicID, canonical(t.Sweep), string(t.Continue), string(t.Attempt)} {
			_ = binary.Write(mac, binary.BigEndian, uint64(len(part))) // a hash never fails
			mac.Write([]byte(part))
		}
		return mac.Sum(nil)
	}}
}

// Put returns the task with its MAC.
func (s Seal) Put(t Task) Task {
	t.MAC = s.sum(t)
	return t
}

// Fits reports whether the task is as Put returned it, whatever its JSON went through since.
func (s Seal) Fits(t Task) bool { return hmac.Equal(t.MAC, s.sum(t)) }

// canonical writes a sweep as everybody would: queues write JSON anew.
func canonical(raw json.RawMessage) string {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return string(raw) // no sweep, or nothing that could have been sealed
	}
	out, err := json.Marshal(v)
	if err != nil {
		return string(raw)
	}
	return string(out)
}
