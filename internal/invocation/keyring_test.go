package invocation_test

import (
	"fmt"
	"sync"

	cloudemu "chatexport/internal/emulator/cloud"
	cosemu "chatexport/internal/emulator/cos"
	"chatexport/internal/emulator/world"
)

// keyring has the temporary keys of the function's role, of which COS knows the newest only.
type keyring struct {
	mu  sync.Mutex
	now int
}

func key(n int) cloudemu.Credential {
	if n == 0 {
		return cloudemu.Credential{SecretID: world.SecretID, SecretKey: world.CloudKey, Token: world.Token}
	}
	return cloudemu.Credential{SecretID: fmt.Sprintf("AKID%d", n), SecretKey: fmt.Sprintf("role-key-%d", n), Token: fmt.Sprintf("role-token-%d", n)}
}

func (k *keyring) all() []cloudemu.Credential {
	var all []cloudemu.Credential
	for n := range 50 {
		all = append(all, key(n+1))
	}
	return all
}

// valid is for the COS emulator: the test's own key, and the newest of the function.
func (k *keyring) valid(id string) (cosemu.Credential, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, n := range []int{0, k.now} {
		if c := key(n); c.SecretID == id {
			return cosemu.Credential{SecretKey: c.SecretKey, Token: c.Token}, true
		}
	}
	return cosemu.Credential{}, false
}

// rotate gives the function's role new keys, which the next invocation is told.
func (s *site) rotate() {
	s.keys.mu.Lock()
	s.keys.now++
	c := key(s.keys.now)
	s.keys.mu.Unlock()
	s.Env["TENCENTCLOUD_SECRETID"], s.Env["TENCENTCLOUD_SECRETKEY"], s.Env["TENCENTCLOUD_SESSIONTOKEN"] = c.SecretID, c.SecretKey, c.Token
}
