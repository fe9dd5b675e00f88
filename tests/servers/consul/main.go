// Command consul runs the agent of HashiCorp, built from its published module for the tests.
package main

import (
	"fmt"
	"os"

	mcli "github.com/mitchellh/cli"

	"github.com/hashicorp/consul/command"
	"github.com/hashicorp/consul/command/cli"
	_ "github.com/hashicorp/consul/service_os"
	"github.com/hashicorp/consul/version"
)

func main() {
	ui := &cli.BasicUI{BasicUi: mcli.BasicUi{Writer: os.Stdout, ErrorWriter: os.Stderr}}
	app := &mcli.CLI{
		Name: "consul", Version: version.GetHumanVersion(), Args: os.Args[1:],
		Commands: command.RegisteredCommands(ui), HelpFunc: mcli.BasicHelpFunc("consul"),
		HelpWriter: os.Stdout, ErrorWriter: os.Stderr,
	}
	code, err := app.Run()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}
