package main

import (
	"github.com/spf13/cobra"

	"chatexport/scripts/chatexport/internal/catcmd"
	"chatexport/scripts/chatexport/internal/doctor"
	"chatexport/scripts/chatexport/internal/exportcmd"
	"chatexport/scripts/chatexport/internal/filescmd"
	"chatexport/scripts/chatexport/internal/pagecmd"
	"chatexport/scripts/chatexport/internal/plan"
	"chatexport/scripts/chatexport/internal/repair"
	"chatexport/scripts/chatexport/internal/report"
	"chatexport/scripts/chatexport/internal/restore"
	"chatexport/scripts/chatexport/internal/resume"
	"chatexport/scripts/chatexport/internal/status"
	"chatexport/scripts/chatexport/internal/verifycmd"
	"chatexport/scripts/chatexport/internal/view"
)

// operate returns the commands that look after an archive. They read the same variables as the function.
func operate(getenv func(string) string) []*cobra.Command {
	return []*cobra.Command{
		verifycmd.Command(getenv),
		status.Command(getenv),
		doctor.Command(getenv),
		catcmd.Command(getenv),
		view.Command(getenv),
		filescmd.Command(getenv),
		pagecmd.Command(getenv),
		exportcmd.Command(getenv),
		plan.Command(getenv),
		resume.Command(getenv),
		repair.Command(getenv),
		report.Command(getenv),
		restore.Command(getenv),
	}
}
