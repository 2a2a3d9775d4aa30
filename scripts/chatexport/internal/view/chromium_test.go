package view_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// chromium starts a browser without a window, or skips the test where there is none.
func chromium(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium is installed: pages are not looked at in a browser")
	}
	opts := []chromedp.ExecAllocatorOption{chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.NoFirstRun}
	if os.Getuid() == 0 {
		opts = append(opts, chromedp.NoSandbox)
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// theme makes the browser prefer one.
func theme(scheme string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return chromedp.Void{}, err
	}
}

// Pages fit into a window and a phone, in both themes, and run nothing. With -artifacts the screens are kept to be looked at.
func TestBrowser_PagesFitAndRunNothing(t *testing.T) {
	t.Parallel()
	ctx := chromium(t)
	s := show(t)
	if err := chromedp.Do(ctx, chromedp.Navigate(s.address), chromedp.WaitVisible(chromedp.CSS(`table.streams`))); err != nil {
		t.Fatal(err)
	}
	talk := "/talk/gid=.40TGS.23talk/tid=-/"
	pages := map[string]string{
		"list": "/", "day": talk + "?day=2024-01-02", "next": talk, "hostile": "/talk/gid=hostile/tid=-/?day=2026-01-02",
		"proof": talk + "proof?seq=30", "search": "/search?q=meet",
	}
	for _, screen := range []struct {
		name   string
		width  int64
		scheme string
	}{{"1280-light", 1280, "light"}, {"390-dark", 390, "dark"}} {
		for name, path := range pages {
			err := chromedp.Do(ctx, chromedp.EmulateViewport(screen.width, 900), theme(screen.scheme), chromedp.Navigate(s.origin+path), chromedp.WaitVisible(chromedp.CSS(`#main`)))
			wide, err2 := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
			acting, err3 := chromedp.Run(ctx, chromedp.Evaluate[int](`document.scripts.length + document.querySelectorAll("[onerror],[onload],[onclick],iframe,object,embed,svg,style,base").length`))
			unlabelled, err5 := chromedp.Run(ctx, chromedp.Evaluate[int](`[...document.querySelectorAll("input:not([type=hidden]),select")].filter(e => !e.labels.length).length +
				document.querySelectorAll("img:not([alt]),audio:not([aria-label]),video:not([aria-label])").length +
				Math.abs(document.querySelectorAll("main").length - 1) + Math.abs(document.querySelectorAll("h1").length - 1)`))
			picture, err4 := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err := errors.Join(err, err2, err3, err4, err5); err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if wide || acting > 0 || unlabelled > 0 {
				t.Errorf("%s at %s: wider than the screen: %v; %d elements that act, %d without a label", path, screen.name, wide, acting, unlabelled)
			}
			if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name+"-"+screen.name+".png"), picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
