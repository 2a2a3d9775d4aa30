package verify_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// Whatever byte of whatever object changes, and although the store's checksum is of the changed bytes, it is found: by
// the metadata's hash for a chunk, by the next link for genesis and manifests, by the state's hint for the newest
// manifest. The state itself holds hints only.
func FuzzAnyChangedByteIsFound(f *testing.F) {
	for object := range 9 {
		for offset := range uint16(20) {
			f.Add(uint8(object), offset*offset, byte(1<<(offset%8)))
		}
	}
	original := newMemStore()
	sound(f, original, group())
	keys := slices.Sorted(maps.Keys(original.objects))
	keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasPrefix(key, layout.StatePrefix) })
	f.Fuzz(func(t *testing.T, object uint8, offset uint16, mask byte) {
		store := newMemStore()
		maps.Copy(store.objects, original.objects)
		key := keys[int(object)%len(keys)]
		o := store.objects[key]
		body := slices.Clone(o.body)
		body[int(offset)%len(body)] ^= mask
		store.put(key, body, o.obj.Metadata)
		report := verified(t, store, verify.Options{})
		if report.Sound() != (mask == 0) {
			t.Errorf("byte %d of %s, mask %#x: findings %v", int(offset)%len(body), key, mask, report.Findings)
		}
	})
}
