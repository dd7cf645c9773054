# The two units of the service: what GitHub calls, and what does the work.
unified_mode true
provides :ci_server_units

property :account, String,
         name_property: true,
         description: "The worker's account, and the group of both."
property :home, String,
         required: true,
         description: 'Where the service is installed.'
property :database_url, String,
         required: true,
         sensitive: true,
         description: 'Where the store is.'
property :port, Integer,
         default: 8080,
         description: 'The port on loopback.'

default_action :create

action :create do
  units.each do |name, content|
    systemd_unit name do
      content content
      action [:create, :enable, :start]
      notifies :restart, "systemd_unit[#{name}]"
    end
  end
end

action :restart do
  units.each_key do |name|
    systemd_unit name do
      action :restart
    end
  end
end

action_class do
  def units
    program = "#{new_resource.home}/venv/bin/gm-analytics"
    {
      'gm-analytics-web.service' => GmAnalytics::Ci.web_unit(
        "#{program} web --host 127.0.0.1 --port #{new_resource.port}", new_resource.account, new_resource.database_url
      ),
      'gm-analytics-worker.service' => GmAnalytics::Ci.worker_unit("#{program} worker", new_resource.account),
    }
  end
end
