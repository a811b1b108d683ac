package main

import (
	"github.com/spf13/cobra"

	"bootswain/agent"
)

func configCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "config", Short: "Look at launch data before or after a launch",
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(configCheckCommand(), configShowCommand(), configSchemaCommand(), configIAMCommand())
	return c
}

func configCheckCommand() *cobra.Command {
	var o agent.CheckOptions
	c := &cobra.Command{
		Use:   "check FILE [INCLUDED]",
		Short: "Say every fault of a launch document, with line and column",
		Long: `Say every fault of the launch document in FILE ("-" for standard input), with
line and column and what to do, and warn of what looks like a secret in clear.
What it includes is in INCLUDED. Needs no cloud and changes nothing.

With --aws, ask AWS too, with your own credentials: whether the volumes exist, are
in one zone, of one size and free, whether a snapshot set is whole, whether KMS
would decrypt the keys, and whether what the document includes can be read. This,
too, changes nothing.`,
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, args []string) error {
			o.File, o.Below = files(args)
			return agent.ConfigCheck(c.Context(), o, c.InOrStdin(), c.OutOrStdout())
		},
	}
	rolesFlag(c, &o)
	c.Flags().BoolVar(&o.Included, "included", false, "FILE is what launch data includes: EC2's limit of 16 KiB does not hold")
	c.Flags().BoolVar(&o.AWS, "aws", false, "ask AWS too, with your own credentials")
	c.Flags().StringVar(&o.Region, "region", "", "`REGION` to ask, where AWS's own settings name another")
	c.Flags().StringVar(&o.Zone, "zone", "", "availability `ZONE` in which the instance is to be")
	return c
}

func configShowCommand() *cobra.Command {
	var o agent.CheckOptions
	c := &cobra.Command{
		Use:   "show [FILE [INCLUDED]]",
		Short: "Show what launch data and its role come to, and where each value came from",
		Long: `Show what the launch document in FILE ("-" for standard input), or this
instance's own launch data, what it includes and the role that it names come to:
every value with its file, line and column, and the defaults. Secrets are not
shown, also not those that are sealed.`,
		Args: usage(cobra.MaximumNArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			o.File, o.Below = files(args)
			return agent.ConfigShow(c.Context(), o, c.InOrStdin(), c.OutOrStdout())
		},
	}
	rolesFlag(c, &o)
	return c
}

// files are a document and what it includes.
func files(args []string) (file, below string) {
	args = append(args, "", "")
	return args[0], args[1]
}

func rolesFlag(c *cobra.Command, o *agent.CheckOptions) {
	c.Flags().StringVar(&o.Roles, "roles", "", "`DIRECTORY` of role files, where they are not in /etc/bootswain/roles")
}

func configSchemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of launch documents, for editors",
		Long: `Print the JSON Schema (draft 2020-12) of launch documents. Editors complete and
check a document with it that begins with

  # yaml-language-server: $schema=launch-data.schema.json`,
		Args: usage(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return agent.ConfigSchema(c.OutOrStdout()) },
	}
}

func configIAMCommand() *cobra.Command {
	var o agent.CheckOptions
	var scope agent.Scope
	c := &cobra.Command{
		Use:   "iam FILE [INCLUDED]",
		Short: "Print the smallest IAM policy for a launch document",
		Long: `Print the smallest IAM policy with which the role of an instance can do what the
launch document in FILE ("-" for standard input), what it includes, which is in
INCLUDED, and its role file ask for.

With --aws, read what it includes from AWS instead, and ask, with your own
credentials, which customer-managed keys of KMS encrypt what the instance reads:
it needs them too.`,
		Args: usage(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, args []string) error {
			o.File, o.Below = files(args)
			return agent.ConfigIAM(c.Context(), o, scope, c.InOrStdin(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	rolesFlag(c, &o)
	c.Flags().BoolVar(&o.AWS, "aws", false, "ask AWS too, with your own credentials")
	c.Flags().StringVar(&scope.Region, "region", "*", "`REGION` of the resources")
	c.Flags().StringVar(&scope.Account, "account", "*", "`ACCOUNT` of the resources")
	c.Flags().StringVar(&scope.Partition, "partition", "aws", "`PARTITION` of the region: aws, aws-cn or aws-us-gov")
	return c
}
