# The service's configuration, which both accounts read, and its secrets, each in a file of the
# account that needs it.
unified_mode true
provides :ci_server_config

property :account, String,
         name_property: true,
         description: "The worker's account, and the group of both."
property :home, String,
         required: true,
         description: 'Where the service is installed: it checks its own configuration.'
property :webhook_secret, [String, nil],
         sensitive: true,
         description: "What deliveries are signed with; nil keeps the host's."
property :github_token, [String, nil],
         sensitive: true,
         description: "A token for GitHub's API; nil for none."
property :github_ca, [String, nil],
         description: "Certificates of who signed GitHub's; nil for the usual authorities."
property :mirror_ca, [String, nil],
         description: "Certificates of who signed that of the mirror's web server; nil for the usual authorities."
property :database_url, String,
         required: true,
         sensitive: true,
         description: 'Where the store is; one that is no file may hold a password.'
property :config, Hash,
         required: true,
         sensitive: true,
         description: 'The configuration, without secrets.'

default_action :create

action :create do
  file "#{GmAnalytics::Ci::ETC}/webhook_secret" do
    content "#{new_resource.webhook_secret.strip}\n" if new_resource.webhook_secret
    owner GmAnalytics::Ci::WEB
    group new_resource.account
    mode '0600'
    sensitive true
  end

  if new_resource.github_token
    file "#{GmAnalytics::Ci::ETC}/github_token" do
      content "#{new_resource.github_token.strip}\n"
      owner new_resource.account
      group new_resource.account
      mode '0600'
      sensitive true
    end
  end

  if new_resource.github_ca
    file "#{GmAnalytics::Ci::ETC}/github_ca.pem" do
      content new_resource.github_ca
      mode '0644'
    end
  end

  if new_resource.mirror_ca
    file "#{GmAnalytics::Ci::ETC}/mirror_ca.pem" do
      content new_resource.mirror_ca
      mode '0644'
    end
  end

  unless GmAnalytics::Ci.sqlite?(new_resource.database_url)
    file "#{GmAnalytics::Ci::ETC}/database_url" do
      content "#{new_resource.database_url}\n"
      group new_resource.account
      mode '0640'
      sensitive true
    end
  end

  template "#{GmAnalytics::Ci::ETC}/config.yaml" do
    source 'config.yaml.erb'
    cookbook 'ci_server'
    group new_resource.account
    mode '0640'
    # extra_config may hold one.
    sensitive true
    variables yaml: GmAnalytics::Ci.yaml(new_resource.config)
    verify "#{new_resource.home}/venv/bin/python -c '#{GmAnalytics::Ci::CHECK}' %{path}"
  end
end
