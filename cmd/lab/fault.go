package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"bootswain/lab/control"
	"bootswain/lab/imds"
	"bootswain/lab/nbd"
)

func faultCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "fault VOLUME FAULT…",
		Short: "Let a volume misbehave",
		Long: `Let a volume misbehave until another fault is set:

  eio         reads and writes fail
  read-eio    reads fail
  write-eio   writes and flushes fail
  delay=TIME  every request takes so much longer, such as 200ms
  hang        nothing is answered
  none        it is sound again`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			f := control.Fault{Volume: args[0]}
			for _, word := range args[1:] {
				if err := addFault(&f.Fault, word); err != nil {
					return err
				}
			}
			return call(c, "fault", f)
		},
	}
}

func addFault(f *nbd.Fault, word string) (err error) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "none":
		*f = nbd.Fault{}
	case "eio":
		f.ReadError, f.WriteError = true, true
	case "read-eio":
		f.ReadError = true
	case "write-eio":
		f.WriteError = true
	case "hang":
		f.Hang = true
	case "delay":
		f.Delay, err = parseDelay(value)
	default:
		err = fmt.Errorf("%q is no fault of a volume; see: lab fault --help", word)
	}
	return err
}

func imdsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "imds FAULT…",
		Short: "Let the metadata service misbehave",
		Long: `Let the instance metadata service misbehave until another fault is set:

  delay=TIME   every answer comes so much later, such as 20s
  status=CODE  every request is answered with this code, such as 503
  refuse       connections are closed without an answer
  silent       nothing is answered
  truncate     answers end in the middle
  hop-limit    tokens do not arrive, everything else does
  expired      no token is taken
  none         it is sound again`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			var f imds.Fault
			for _, word := range args {
				if err := addIMDSFault(&f, word); err != nil {
					return err
				}
			}
			return call(c, "imds", f)
		},
	}
}

func addIMDSFault(f *imds.Fault, word string) (err error) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "none":
		*f = imds.Fault{}
	case "delay":
		f.Delay, err = parseDelay(value)
	case "status":
		f.Status, err = strconv.Atoi(value)
		if err != nil || f.Status < 200 || f.Status > 599 {
			err = fmt.Errorf("%q is no HTTP status code", value)
		}
	case "refuse":
		f.Refuse = true
	case "silent":
		f.Silent = true
	case "truncate":
		f.Truncate = true
	case "hop-limit":
		f.HopLimit = true
	case "expired":
		f.Expired = -1
	default:
		err = fmt.Errorf("%q is no fault of the metadata service; see: lab imds --help", word)
	}
	return err
}

func parseDelay(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is no delay; write it like delay=200ms", value)
	}
	return d, nil
}
